import { setMaxListeners } from 'node:events'
import { BusyError, ChannelError } from '@fanfare/core'
import type { TokenProvider } from './access-token.ts'
import { HttpError } from './http.ts'
import type { Verdict } from './verdict.ts'

/** Sends to the members at `indices` with this access token; verdicts in the order of `indices`. */
export type SendWithToken = (token: string, indices: readonly number[]) => Promise<Verdict[]>

/**
 * Sends with the account's access token. Where it is refused (`refresh`), a new one is got once and those members – and
 * the ones not tried because of it – are sent again at once, no try counted. A second refusal stays `refresh`, which
 * `settle` makes a ChannelError. Never rejects: an access token that cannot be had is a verdict too.
 */
export async function withToken(
  tokens: TokenProvider,
  indices: readonly number[],
  send: SendWithToken,
  signal?: AbortSignal,
): Promise<Verdict[]> {
  if (indices.length === 0) return []
  const token = await tokenOr(tokens, signal)
  if (typeof token !== 'string') return indices.map(() => token)
  const verdicts = await send(token, indices)
  if (!verdicts.some((verdict) => verdict.is === 'refresh')) return verdicts
  if (!(await tokens.invalidate(token))) return verdicts
  const again = positionsToRepeat(verdicts)
  const renewed = await tokenOr(tokens, signal)
  const second =
    typeof renewed === 'string'
      ? await send(
          renewed,
          again.map((position) => indices[position] as number),
        )
      : again.map(() => renewed)
  for (const [at, position] of again.entries()) verdicts[position] = second[at] as Verdict
  return verdicts
}

/** What the failure to get an access token means for every member. Errors that are none of the vendor's are thrown on. */
export function verdictOfTokenError(error: unknown): Verdict {
  if (error instanceof ChannelError) return { is: 'channel', reason: error.reason }
  if (error instanceof HttpError) return { is: 'deferred', reason: `access token: ${error.message}`, free: true }
  if (error instanceof BusyError) {
    return { is: 'busy', reason: error.reason, ...(error.afterMs === undefined ? {} : { afterMs: error.afterMs }) }
  }
  throw error
}

/** Others may wait for the same token, so an abort leaves the request for it under way. */
async function tokenOr(tokens: TokenProvider, signal: AbortSignal | undefined): Promise<string | Verdict> {
  try {
    const token = tokens.get()
    return await (signal ? unlessAborted(token, signal) : token)
  } catch (error) {
    return verdictOfTokenError(error)
  }
}

function unlessAborted(token: Promise<string>, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new HttpError('aborted', false))
    const done = () => signal.removeEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    setMaxListeners(0, signal)
    signal.addEventListener('abort', onAbort)
    token.then(resolve, reject).finally(done)
  })
}

function positionsToRepeat(verdicts: readonly Verdict[]): number[] {
  const positions: number[] = []
  for (const [position, { is, halted }] of verdicts.entries()) {
    if (is === 'refresh' || halted) positions.push(position)
  }
  return positions
}
