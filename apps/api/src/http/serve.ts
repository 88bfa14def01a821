import type { IncomingMessage, ServerResponse } from 'node:http'
import { type App, isId, PushError } from '@fanfare/core'
import { bearerOf, requireApp, requireOperator } from '../auth/guards.ts'
import type { Claims } from '../auth/tokens.ts'
import type { ApiContext } from '../context.ts'
import { takeRequest } from '../limits/limits.ts'
import { statusOf, type WireError } from '../wire/errors.ts'
import { SAFE_NAME } from '../wire/names.ts'
import { type Body, GUEST_LIMIT_BYTES, readBody } from './body.ts'
import { envelope, problem, RequestAborted, toWireError } from './errors.ts'
import type { Answer, Call, Route } from './route.ts'

export const JSON_TYPE = 'application/json; charset=utf-8'

/** A request as a router found it: `params` of the path, `url` as it was sent. */
export type Asked = { req: IncomingMessage; url: string; params: Readonly<Record<string, string>> }

/** Runs one route: policy, body, handler, answer. Never rejects. */
export async function serve(ctx: ApiContext, route: Route, asked: Asked, res: ServerResponse): Promise<void> {
  const startedAt = Date.now()
  try {
    const answer = await answerOf(ctx, route, asked, startedAt)
    endWhenStopping(ctx, res)
    write(asked.req, res, answer)
  } catch (thrown) {
    if (thrown instanceof RequestAborted) return
    const error = toWireError(thrown)
    if (statusOf(error) >= 500) ctx.log.error({ code: error.code, err: causeOf(error) }, 'request failed')
    endWhenStopping(ctx, res)
    write(asked.req, res, route.policy === 'operator' ? problem(error, pathOf(asked.url)) : envelope(error, startedAt))
  }
}

/** A stopping process ends its connections with the answer, so that callers go elsewhere instead of being cut off. */
function endWhenStopping(ctx: ApiContext, res: ServerResponse): void {
  if (!ctx.ready) res.shouldKeepAlive = false
}

/** A request takes a place only once it has arrived whole and its caller is known: who waits or guesses takes none. */
async function answerOf(ctx: ApiContext, route: Route, asked: Asked, startedAt: number): Promise<Answer> {
  const callOf = (body: Body) => new HttpCall(ctx, asked, body, startedAt)
  if (route.policy === 'tenant') {
    const app = await provenApp(ctx, asked)
    if (app.settings.requestsPerMinute) await ctx.inFlight.hold(() => takeRequest(ctx.redis, app, ctx.log))
    const call = Object.assign(callOf(await bodyOf(asked.req, route)), { app })
    return ctx.inFlight.hold(() => route.handle(ctx, call))
  }
  if (route.policy === 'app') {
    const call = callOf(await readBody(asked.req, route.body, GUEST_LIMIT_BYTES))
    const answer = await ctx.guests.hold(async () =>
      route.handle(ctx, Object.assign(call, { app: await appOf(ctx, asked) })),
    )
    ctx.sockets.known(asked.req.socket)
    return answer
  }
  if (route.policy === 'operator') {
    requireOperator(asked.req.headers.authorization, ctx.config.operatorToken)
    ctx.sockets.known(asked.req.socket)
  }
  return route.handle(ctx, callOf(await bodyOf(asked.req, route)))
}

/** The app of the URL, where the token of the call belongs to it. */
async function provenApp(ctx: ApiContext, asked: Asked): Promise<App> {
  const claims = claimsOf(ctx, asked)
  const app = claims instanceof PushError ? await ctx.guests.hold(() => appOf(ctx, asked)) : await appOf(ctx, asked)
  if (claims instanceof PushError) throw claims
  requireApp(claims, app)
  ctx.sockets.known(asked.req.socket)
  return app
}

function claimsOf(ctx: ApiContext, { req }: Asked): Claims | PushError {
  try {
    return ctx.tokens.verify(bearerOf(req.headers.authorization))
  } catch (error) {
    if (error instanceof PushError) return error
    throw error
  }
}

const NO_BODY: Body = { raw: '', body: undefined }

const bodyOf = (req: IncomingMessage, route: Route): Body | Promise<Body> =>
  route.body === 'none' ? NO_BODY : readBody(req, route.body)

class HttpCall implements Call {
  readonly params: Call['params']
  readonly raw: string
  readonly body: unknown
  readonly startedAt: number
  readonly #ctx: ApiContext
  readonly #asked: Asked

  constructor(ctx: ApiContext, asked: Asked, { raw, body }: Body, startedAt: number) {
    this.#ctx = ctx
    this.#asked = asked
    this.params = asked.params
    this.raw = raw
    this.body = body
    this.startedAt = startedAt
  }
  get method(): string {
    return this.#asked.req.method ?? ''
  }
  get path(): string {
    return pathOf(this.#asked.url)
  }
  /** A parameter that is given twice is a list, which every schema refuses. */
  get query(): Record<string, unknown> {
    const { url } = this.#asked
    const mark = url.indexOf('?')
    const found: Record<string, unknown> = Object.create(null) as Record<string, unknown>
    if (mark < 0) return found
    for (const [key, value] of new URLSearchParams(url.slice(mark))) {
      found[key] = key in found ? [found[key], value].flat() : value
    }
    return found
  }
  get headers(): Call['headers'] {
    return this.#asked.req.headers
  }
  get caller(): string {
    return this.#ctx.sockets.callerOf(this.#asked.req)
  }
}

async function appOf(ctx: ApiContext, { params, url }: Asked): Promise<App> {
  const { org = '', app: name = '' } = params
  if (SAFE_NAME.test(org) && SAFE_NAME.test(name) && (org !== 'app-id' || isId(name))) {
    const app = await ctx.apps.get(`${org}/${name}`)
    if (app) return app
  }
  throw new PushError('APP_UNKNOWN', { app: `${org}/${name}`, uri: pathOf(url) })
}

function pathOf(url: string): string {
  const mark = url.indexOf('?')
  return mark < 0 ? url : url.slice(0, mark)
}

/** An error outside of any route, in the envelope of its part of the tree. */
export function refuse(asked: Pick<Asked, 'req' | 'url'>, res: ServerResponse, error: WireError): void {
  const path = pathOf(asked.url)
  write(asked.req, res, path.startsWith('/admin') ? problem(error, path) : envelope(error, Date.now()))
}

function write(req: IncomingMessage, res: ServerResponse, answer: Answer): void {
  if (res.headersSent || res.destroyed) return
  const headers: Record<string, string | number> = {
    'Content-Type': answer.type ?? JSON_TYPE,
    'Content-Length': Buffer.byteLength(answer.body),
    ...answer.headers,
  }
  // A body that was not read to its end must not be taken for the next request on this connection.
  if (!req.complete && hasBody(req)) headers['Connection'] = 'close'
  res.writeHead(answer.status ?? 200, headers)
  res.end(answer.body)
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

const causeOf = (error: WireError): string =>
  error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : String(error.cause ?? error.message)
