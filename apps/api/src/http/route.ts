import type { IncomingHttpHeaders } from 'node:http'
import type { App } from '@fanfare/core'
import type { ApiContext } from '../context.ts'

/** One request, whichever way it came in. */
export type Call = {
  method: string
  /** The path as it was sent, without the query. */
  path: string
  params: Readonly<Record<string, string>>
  query: Readonly<Record<string, unknown>>
  headers: IncomingHttpHeaders
  /** Address the call came from. */
  caller: string
  /** The body as text, and parsed; both empty where the route takes none. */
  raw: string
  body: unknown
  startedAt: number
}
/** A call whose token belongs to the app of its URL. */
export type TenantCall = Call & { app: App }

/** A ready answer; `body` is the text to send. */
export type Answer = { status?: number; body: string; type?: string; headers?: Readonly<Record<string, string>> }

type Common = { method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'; path: string }
/**
 * `json`: application/json or no type at all, else 415. `any`: parsed as JSON whatever the type (docs/wire-api.md
 * §5.1).
 */
export type BodyKind = 'none' | 'json' | 'any'

/** `tenant`: below /{org}/{app} with an app token. */
export type TenantRoute = Common & {
  policy: 'tenant'
  body: BodyKind
  handle(ctx: ApiContext, call: TenantCall): Promise<Answer>
}
/** `app`: below /{org}/{app} of an app that exists, without a token. */
export type AppRoute = Common & {
  policy: 'app'
  body: BodyKind
  handle(ctx: ApiContext, call: TenantCall): Promise<Answer>
}
/** `operator`: with the operator's token; errors as problem+json. `open`: for anybody. */
export type RootRoute = Common & {
  policy: 'operator' | 'open'
  body: BodyKind
  handle(ctx: ApiContext, call: Call): Promise<Answer>
}
/** No route without a policy: the union has no member that leaves it out. */
export type Route = TenantRoute | AppRoute | RootRoute

export const tenant = (
  method: Common['method'],
  path: string,
  body: BodyKind,
  handle: TenantRoute['handle'],
): TenantRoute => ({ policy: 'tenant', method, path, body, handle })
