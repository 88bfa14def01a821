import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { PushError } from '@fanfare/core'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import type { ApiContext } from '../context.ts'
import { RequestError } from '../wire/errors.ts'
import { envelope } from './errors.ts'
import { hotRoute } from './hot.ts'
import type { Route } from './route.ts'
import { type Asked, JSON_TYPE, refuse, serve } from './serve.ts'

/** The Express application: the table of routes and nothing in front of it, because the send routes are hot. */
export function createApp(ctx: ApiContext, routes: readonly Route[]): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', 'simple')
  for (const [path, group] of byPath(routes)) {
    const mounted = app.route(path)
    for (const route of group) {
      const method = route.method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete'
      mounted[method]((req, res) => void serve(ctx, route, askedOf(req), res))
    }
    const allow = group.map((route) => route.method).join(', ')
    mounted.all((req, res) => {
      res.setHeader('Allow', allow)
      refuse(askedOf(req), res, new RequestError('METHOD_NOT_ALLOWED', { method: req.method }))
    })
  }
  return app
}

/** What no route took, and URLs that cannot be decoded. Mounted after everything else. */
export function closeApp(app: Express): void {
  const invalid = (req: Request, res: Response) => refuse(askedOf(req), res, new RequestError('URL_INVALID'))
  app.use(invalid)
  app.use((_error: unknown, req: Request, res: Response, _next: NextFunction) => invalid(req, res))
}

/** A peer that was cut off gets so long to take its answer. */
const GRACE_MS = 1000

/**
 * A server with the time limits of docs/reliability.md §6; what cannot be parsed as HTTP is answered in the envelope
 * too.
 */
export function createHttpServer(app: Express, ctx: ApiContext): Server {
  const { requestTimeoutMs } = ctx.config
  const options = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.min(10_000, requestTimeoutMs),
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: Math.min(5000, Math.ceil(requestTimeoutMs / 2)),
  }
  const server = createServer(options, (req, res) => {
    if (!ctx.sockets.enter(req, res)) {
      refuse({ req, url: req.url ?? '' }, res, new PushError('OVERLOADED', {}, { retryAfterSeconds: 1 }))
      return
    }
    const hot = hotRoute(req)
    if (hot) void serve(ctx, hot.route, hot.asked, res)
    else app(req, res)
  })
  server.maxRequestsPerSocket = 1_000_000
  server.on('connection', (socket) => ctx.sockets.accept(socket))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => answerBroken(error, socket))
  return server
}

const askedOf = (req: Request): Asked => ({ req, url: req.originalUrl, params: req.params as Record<string, string> })

const prefixOf = (route: Route): string => (route.policy === 'tenant' || route.policy === 'app' ? '/:org/:app' : '')

function byPath(routes: readonly Route[]): Map<string, Route[]> {
  const groups = new Map<string, Route[]>()
  for (const route of routes) {
    const path = prefixOf(route) + route.path
    groups.set(path, [...(groups.get(path) ?? []), route])
  }
  return groups
}

function answerBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
  const refused = late ? new RequestError('REQUEST_TIMEOUT') : new RequestError('HTTP_INVALID')
  // Whoever does not take the answer does not keep the connection for that.
  setTimeout(() => socket.destroy(), GRACE_MS).unref()
  const { body } = envelope(refused, Date.now())
  const line = late ? '408 Request Timeout' : '400 Bad Request'
  socket.end(
    `HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Type: ${JSON_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
