import { setMaxListeners } from 'node:events'
import { type AskAgain, BusyError, ChannelError } from '@fanfare/core'
import { HttpError } from '../http/http.ts'
import { sendAgain } from '../pushing/again.ts'
import type { Verdict } from '../pushing/verdict.ts'
import type { TokenProvider } from './access-token.ts'

/** Sends to the members at `indices` with this access token; verdicts in the order of `indices`. */
export type SendWithToken = (token: string, indices: readonly number[]) => Promise<Verdict[]>

export type WithToken = {
  tokens: TokenProvider
  indices: readonly number[]
  send: SendWithToken
  signal?: AbortSignal
  /** A resend is a request too and needs a permit. */
  again?: AskAgain | undefined
}

/**
 * Sends with the account's access token. Where it is refused (`refresh`), a new one is got once and those members – and
 * the ones not tried because of it – are sent again, each with a permit of its own, no try counted. A second refusal in a
 * row stays `refresh`, which `settle` makes a ChannelError. Never rejects: an access token that cannot be had is a verdict
 * too.
 */
export async function withToken({ tokens, indices, send, signal, again }: WithToken): Promise<Verdict[]> {
  if (indices.length === 0) return []
  const token = await tokenOr(tokens, signal)
  if (typeof token !== 'string') return indices.map(() => token)
  const verdicts = await send(token, indices)
  if (!verdicts.some((verdict) => verdict.is === 'refresh')) {
    if (verdicts.some(isAnswer)) tokens.accepted()
    return verdicts
  }
  const isSecond = tokens.isUntried(token)
  if (!(await tokens.invalidate(token)) || isSecond) return verdicts
  const positions = positionsToRepeat(verdicts)
  const renewed = await tokenOr(tokens, signal)
  if (typeof renewed !== 'string') {
    for (const position of positions) verdicts[position] = renewed
    return verdicts
  }
  const repeated = positions.map((position) => indices[position] as number)
  const second = await sendAgain(again, repeated, (some) => send(renewed, some))
  if (second.some(isAnswer)) tokens.accepted()
  else if (second.every(({ free }) => free)) tokens.keepUntried(renewed)
  for (const [at, position] of positions.entries()) verdicts[position] = second[at] as Verdict
  return verdicts
}

/** The vendor looked at the message, so it took the access token. */
const isAnswer = ({ is }: Verdict): boolean => is === 'sent' || is === 'invalid' || is === 'rejected'

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
