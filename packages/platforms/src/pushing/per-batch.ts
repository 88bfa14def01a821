import type { Batch, BatchMember, PushResult } from '@fanfare/core'
import type { LimitFunction } from 'p-limit'
import { resting } from './again.ts'
import { settle, type Verdict } from './verdict.ts'

/** A push by requests with many tokens each: Xiaomi, Huawei, WeCom. */
export type BatchedPush = {
  batch: Batch
  /** Tokens of one request at most. */
  size: number
  isToken(token: string): boolean
  /** Caps the requests in flight of one credential. */
  limit: LimitFunction
  /** Sends one request; the verdict of each token, in order. Must not reject. */
  send(tokens: readonly string[]): Promise<readonly Verdict[]>
}

const MALFORMED: Verdict = { is: 'invalid', reason: 'malformed token' }

/** One result per member, see `Pusher.push`. A token that stands twice is sent once. */
export async function pushBatched(push: BatchedPush): Promise<PushResult[]> {
  const { members } = push.batch
  const given = members.map(({ token }) => token)
  const isPlain = new Set(given).size === given.length && given.every(push.isToken)
  const { tokens, places } = isPlain ? { tokens: given } : distinct(members, push.isToken)
  const verdicts: Verdict[] = new Array(tokens.length)
  const starts = Array.from({ length: Math.ceil(tokens.length / push.size) }, (_, index) => index * push.size)
  await Promise.all(
    starts.map((start) =>
      push.limit(async () => {
        const some = tokens.slice(start, start + push.size)
        const rest = resting(push.batch)
        const answers = rest ? some.map(() => rest) : await push.send(some)
        for (const [index, answer] of answers.entries()) verdicts[start + index] = answer
      }),
    ),
  )
  return settle(members, places?.map((place) => (place < 0 ? MALFORMED : (verdicts[place] as Verdict))) ?? verdicts)
}

/** The tokens to send, each once, and for every member where its token stands among them; -1 = malformed. */
function distinct(
  members: readonly BatchMember[],
  isToken: (token: string) => boolean,
): { tokens: string[]; places?: number[] } {
  const known = new Map<string, number>()
  const tokens: string[] = []
  const places = members.map(({ token }) => {
    const place = known.get(token)
    if (place !== undefined) return place
    const added = isToken(token) ? tokens.push(token) - 1 : -1
    known.set(token, added)
    return added
  })
  return { tokens, places }
}
