import { type Batch, BusyError, ChannelError, type Message, type Pusher, type PushResult } from '@fanfare/core'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'

/** How many tokens a batch has: nothing, one, around the batch size, and more than two batches. */
export const CONTRACT_SIZES = [0, 1, 999, 1000, 1001, 2500] as const

const START_WITHIN_MS = 30_000
const PUSH_WITHIN_MS = 60_000

/** What one kind of answer must become. */
export type ContractCase = {
  /** The verdict, as in the vendor's table. */
  verdict: string
  /** What the simulator calls a token that is answered so (`gone`, `busy`, `code-20301` …). */
  behaviour: string
  /** What becomes of members with such a token; `channel` and `busy` = the push rejects when all are like this. */
  becomes: PushResult['outcome'] | 'channel' | 'busy'
  /**
   * `member`: others of the same batch are sent. `request`: the others of the same request share its fate, those of
   * other requests are sent. Only members, not requests, can be told apart by most vendors for dead tokens.
   */
  concerns: 'member' | 'request'
}

/** One vendor at the simulator. */
export type PlatformHarness = {
  /** Starts what is needed and opens one pusher. */
  start(): Promise<{ pusher: Pusher; close(): Promise<void> }>
  /** A token that the simulator answers as `behaviour` says; a different one for each `number`. */
  token(behaviour: string, number: number): string
  /** How many members the vendor accepted since the last `reset`, and how many of them more than once. */
  accepted(): { accepted: number; duplicates: number }
  reset(): void
  cases: readonly ContractCase[]
  message?: Message
}

const MESSAGE: Message = { title: 'Contract', content: 'One result for every member' }
const never = new AbortController().signal

/** Every pusher keeps this: one result per member, in order, whatever the vendor answers (core `Pusher`). */
export function platformContract(name: string, harness: PlatformHarness): void {
  describe(`platform contract: ${name}`, () => {
    let pusher: Pusher
    let close: (() => Promise<void>) | undefined
    beforeAll(async () => {
      const started = await harness.start()
      pusher = started.pusher
      close = started.close
    }, START_WITHIN_MS)
    afterAll(() => close?.())

    const push = (tokens: readonly string[]) => {
      harness.reset()
      return pusher.push(batchOf(tokens, harness.message ?? MESSAGE), never)
    }

    it.each(CONTRACT_SIZES)(
      'sent × %i: each member once, one result each, in order',
      async (size) => {
        const tokens = range(size).map((index) => harness.token('ok', index))
        const results = await push(tokens)
        expectOnePerMember(results, size)
        expect(results.filter((result) => result.outcome !== 'sent')).toEqual([])
        expect(harness.accepted()).toEqual({ accepted: size, duplicates: 0 })
      },
      PUSH_WITHIN_MS,
    )

    describe.each(harness.cases)('$verdict ($behaviour)', (row) => {
      it.each(CONTRACT_SIZES)(
        `× %i becomes ${row.becomes}`,
        async (size) => {
          const marked = markedOf(row, size)
          const tokens = range(size).map((index) => harness.token(marked.has(index) ? row.behaviour : 'ok', index))
          if (size > 0 && (row.becomes === 'channel' || row.becomes === 'busy')) {
            await expect(push(tokens)).rejects.toBeInstanceOf(row.becomes === 'busy' ? BusyError : ChannelError)
            return
          }
          const results = await push(tokens)
          expectOnePerMember(results, size)
          expectOutcomes(results, marked, row, pusher.batchSize)
        },
        PUSH_WITHIN_MS,
      )
    })

    it('an aborted push settles every member', async () => {
      const tokens = range(1500).map((index) => harness.token('ok', index))
      const results = await pusher.push(batchOf(tokens, harness.message ?? MESSAGE), AbortSignal.abort())
      expectOnePerMember(results, 1500)
      expect(results.every((result) => result.outcome === 'deferred' || result.outcome === 'unknown')).toBe(true)
    })
  })
}

let tasks = 0

function batchOf(tokens: readonly string[], message: Message): Batch {
  const taskId = String(900_000 + ++tasks)
  return {
    message,
    lane: 'bulk',
    wantsReply: false,
    members: tokens.map((token, index) => ({ id: `m${index}`, token })),
    id: `${taskId}-0-0`,
    taskId,
    expiresAt: new Date(Date.now() + 3600_000),
  }
}

/** Errors about the channel: all. Requests: the first member. Members: every seventh. */
function markedOf({ becomes, concerns }: ContractCase, size: number): ReadonlySet<number> {
  if (becomes === 'channel' || becomes === 'busy') return new Set(range(size))
  return new Set(range(size).filter((index) => (concerns === 'member' ? index % 7 === 0 : index === 0)))
}

function expectOnePerMember(results: readonly PushResult[], size: number): void {
  expect(results.map(({ id }) => id)).toEqual(range(size).map((index) => `m${index}`))
  for (const result of results) {
    if (result.outcome !== 'sent' && !result.reason)
      throw new Error(`${result.id} is ${result.outcome} without a reason`)
  }
}

function expectOutcomes(
  results: readonly PushResult[],
  marked: ReadonlySet<number>,
  { becomes, concerns }: ContractCase,
  batchSize: number,
): void {
  const shared = concerns === 'request' ? batchSize : 1
  for (const [index, { outcome }] of results.entries()) {
    const expected = marked.has(index) || (concerns === 'request' && index < shared) ? becomes : 'sent'
    if (outcome !== expected) throw new Error(`member ${index} is ${outcome}, expected ${expected}`)
  }
}

const range = (size: number): number[] => Array.from({ length: size }, (_, index) => index)
