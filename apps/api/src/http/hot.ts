import type { IncomingMessage } from 'node:http'
import { pushAsyncTarget } from '../routes/push-async-target.ts'
import { pushSingle } from '../routes/push-single.ts'
import type { Route } from './route.ts'
import type { Asked } from './serve.ts'

/** Plain characters only: whatever needs decoding, folding or a second look goes through Express. */
const SINGLE = /^\/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})\/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})\/push\/single$/
const ASYNC =
  /^\/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})\/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})\/push\/async\/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})$/

/**
 * The two routes that carry nearly all requests are found before Express, whose own work is a third of such a request
 * (docs/limits.md §2, docs/http-api.md). They run the same code either way, and Express has them too.
 */
export function hotRoute(req: IncomingMessage): { route: Route; asked: Asked } | undefined {
  const { method, url } = req
  if (method !== 'POST' || url === undefined) return undefined
  const single = SINGLE.exec(url)
  if (single) return { route: pushSingle, asked: { req, url, params: { org: single[1] ?? '', app: single[2] ?? '' } } }
  const one = ASYNC.exec(url)
  if (!one) return undefined
  const params = { org: one[1] ?? '', app: one[2] ?? '', target: one[3] ?? '' }
  return { route: pushAsyncTarget, asked: { req, url, params } }
}
