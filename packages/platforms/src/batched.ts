import type { Batch, BatchMember, PushResult } from '@fanfare/core'
import type { LimitFunction } from 'p-limit'
import { settle, type Verdict } from './verdict.ts'

/** A push by requests with many tokens each: Xiaomi, Huawei, WeCom. */
export type BatchedPush = {
  batch: Batch
  /** Tokens of one request at most. */
  size: number
  tokenPattern: RegExp
  /** Caps the requests in flight of one credential. */
  limit: LimitFunction
  /** Sends one request; the verdict of each token, in order. Must not reject. */
  send(tokens: readonly string[]): Promise<readonly Verdict[]>
}

const MALFORMED: Verdict = { is: 'invalid', reason: 'malformed token' }

/** One result per member, see `Pusher.push`. A token that stands twice is sent once. */
export async function pushBatched(push: BatchedPush): Promise<PushResult[]> {
  const { members } = push.batch
  const tokens = [...new Set(members.map(({ token }) => token))].filter((token) => push.tokenPattern.test(token))
  const verdicts = new Map<string, Verdict>()
  await Promise.all(
    slicesOf(tokens, push.size).map((slice) =>
      push.limit(async () => {
        const answers = await push.send(slice)
        for (const [index, token] of slice.entries()) verdicts.set(token, answers[index] as Verdict)
      }),
    ),
  )
  return settle(
    members,
    members.map(({ token }: BatchMember) => verdicts.get(token) ?? MALFORMED),
  )
}

export function slicesOf<T>(items: readonly T[], size: number): T[][] {
  const slices: T[][] = []
  for (let at = 0; at < items.length; at += size) slices.push(items.slice(at, at + size))
  return slices
}
