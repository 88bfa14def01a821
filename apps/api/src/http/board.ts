import { boardRouter } from '@fanfare/queue'
import type { Express, NextFunction, Request, Response } from 'express'
import { requireOperator } from '../auth/guards.ts'
import type { ApiContext } from '../context.ts'
import { problem, toWireError } from './errors.ts'

const PATH = '/admin/queues'

/** Mounts Bull Board behind the operator's token; answers what closes it. */
export function mountBoard(app: Express, ctx: ApiContext): () => Promise<void> {
  const board = boardRouter(ctx.config.redisUrl, PATH)
  app.use(PATH, (req, res, next) => guard(ctx, { req, res, next }), board.router)
  return () => board.close()
}

type Step = { req: Request; res: Response; next: NextFunction }

/** Bearer for programs; Basic with the token as password for browsers, which cannot send a bearer token by themselves. */
function guard(ctx: ApiContext, { req, res, next }: Step): void {
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.setHeader('X-Frame-Options', 'DENY')
  res.setHeader('Referrer-Policy', 'no-referrer')
  res.setHeader('Cache-Control', 'no-store')
  try {
    requireOperator(asBearer(req.headers.authorization), ctx.config.operatorToken)
  } catch (error) {
    const answer = problem(toWireError(error), req.originalUrl)
    res.setHeader('WWW-Authenticate', 'Basic realm="Fanfare operators", charset="UTF-8"')
    res.setHeader('Content-Type', answer.type ?? 'application/problem+json')
    res.statusCode = answer.status ?? 401
    res.end(answer.body)
    return
  }
  next()
}

function asBearer(header: string | undefined): string | undefined {
  if (header?.slice(0, 6).toLowerCase() !== 'basic ') return header
  const pair = Buffer.from(header.slice(6), 'base64').toString('utf8')
  return `Bearer ${pair.slice(pair.indexOf(':') + 1)}`
}
