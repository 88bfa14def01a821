import type { Request, Router } from 'express'
import express from 'express'
import type { Context } from '../context.ts'
import type { Unit } from '../journal/journal.ts'
import { BadQuery, given, numberFrom, required, textFrom, vendorFrom } from './query.ts'

/** `/journal…`: what arrived. */
export function journalRoutes(context: Context): Router {
  const { journal } = context
  const router = express.Router()
  router.get('/', (request, response) => response.json(journal.requests(filterFrom(request))))
  router.get('/counts', (request, response) => response.json(journal.counts(vendorFrom(request))))
  router.get('/tokens', (request, response) => {
    const duplicates = textFrom(request, 'duplicates') === '1'
    const query = { vendor: vendorFrom(request), duplicates, limit: numberFrom(request, 'limit') }
    response.json(journal.tokens(given(query)))
  })
  router.get('/arrivals', (request, response) => response.json(arrivalsFor(context, request)))
  router.get('/windows', (request, response) => response.json(windowsFor(context, request)))
  router.get('/latency', (request, response) => {
    const query = given({ vendor: vendorFrom(request), tag: textFrom(request, 'tag') })
    response.json({ ...journal.latency(query), tags: journal.latencyTags() })
  })
  router.put('/mode', (request, response) => {
    const { bodies } = (request.body ?? {}) as Record<string, unknown>
    if (typeof bodies !== 'boolean') throw new BadQuery('bodies must be true or false')
    journal.mode.bodies = bodies
    response.json(journal.mode)
  })
  router.delete('/', (_request, response) => {
    context.resetJournal()
    response.json({ ok: true })
  })
  return router
}

function filterFrom(request: Request) {
  const texts = {
    vendor: vendorFrom(request),
    account: textFrom(request, 'account'),
    token: textFrom(request, 'token'),
  }
  return given({ ...texts, limit: numberFrom(request, 'limit') })
}

/** One token's arrivals, or the times and sizes of all requests of a vendor or account. */
function arrivalsFor({ journal }: Context, request: Request): object {
  const vendor = required(vendorFrom(request), 'vendor')
  const token = textFrom(request, 'token')
  return token === undefined
    ? journal.arrivals(vendor, textFrom(request, 'account'))
    : journal.arrivalsOf(vendor, token)
}

function windowsFor({ journal }: Context, request: Request): object {
  const unit = textFrom(request, 'unit') ?? 'token'
  if (unit !== 'token' && unit !== 'request') throw new BadQuery('unit must be token or request')
  const account = textFrom(request, 'account')
  return journal.windows({
    vendor: required(vendorFrom(request), 'vendor'),
    limit: required(numberFrom(request, 'limit'), 'limit'),
    windowMs: required(numberFrom(request, 'windowMs'), 'windowMs'),
    unit: unit satisfies Unit,
    ...(account !== undefined && { account }),
  })
}
