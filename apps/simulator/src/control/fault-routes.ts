import type { Router } from 'express'
import express from 'express'
import type { Context } from '../context.ts'
import { faultFrom } from './fault-body.ts'
import { given, textFrom } from './query.ts'

/** `/faults`: PUT switches one or several on, DELETE off (`?vendor=&account=&kind=`), GET lists them with their hits. */
export function faultRoutes({ faults }: Context): Router {
  const router = express.Router()
  router.get('/', (_request, response) => response.json(faults.list()))
  router.put('/', (request, response) => {
    const bodies: unknown[] = Array.isArray(request.body) ? request.body : [request.body]
    for (const fault of bodies.map(faultFrom)) faults.set(fault)
    response.json(faults.list())
  })
  router.delete('/', (request, response) => {
    const [vendor, account, kind] = ['vendor', 'account', 'kind'].map((name) => textFrom(request, name))
    faults.clear(given({ vendor, account, kind }))
    response.json(faults.list())
  })
  return router
}
