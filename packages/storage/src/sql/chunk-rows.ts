import { type Chunk, isFinal, type Lane, type Member, OUTCOMES, type Outcome } from '@fanfare/core'

/** The index is what the tables hold. States below `done` are open; the partial indexes of schema.ts rely on the order. */
export const CHUNK_STATES = ['waiting', 'planned', 'queued', 'sending', 'done', 'dead'] as const
export const LANES = ['sync', 'single', 'bulk'] as const satisfies Lane[]
export const WAITING = 0
export const PLANNED = 1
export const QUEUED = 2
export const SENDING = 3
export const DONE = 4
export const DEAD = 5

/** Outcomes of a chunk as text, one digit per member: four bits each, readable in any SQL shell. */
export type Digits = string
const DIGIT = new Map(OUTCOMES.map((outcome, code) => [outcome, String(code)]))
const FINAL_DIGIT = OUTCOMES.map(isFinal)
export const digitOf = (outcome: Outcome): string => DIGIT.get(outcome) ?? '0'
export const outcomeOf = (digit: string): Outcome => OUTCOMES[Number(digit)] ?? 'unsent'
export const isFinalDigit = (digit: string): boolean => FINAL_DIGIT[Number(digit)] === true
export const UNSENT = digitOf('unsent')
export const STARTED = digitOf('started')

export const toDigits = (outcomes: readonly Outcome[]): Digits => outcomes.map(digitOf).join('')
const ALL_FINAL = new RegExp(`^[${OUTCOMES.filter(isFinal).map(digitOf).join('')}]*$`)
export const isAllFinal = (digits: Digits): boolean => ALL_FINAL.test(digits)

/** Whether all members have the same outcome, as most chunks have at their start and at their end. */
const isAll = (digits: Digits, digit: string): boolean => digits.length > 0 && digits === digit.repeat(digits.length)

const outcomesOf = (digits: Digits): Outcome[] =>
  isAll(digits, UNSENT) ? new Array(digits.length).fill('unsent') : Array.from(digits, outcomeOf)

export type Reasons = Record<string, number[]>
/** `[{digit: members}, {reason: members}]`: what `counts` sums up, written together with the outcomes. */
export type CountsText = string

export function countsOf(digits: Digits, reasons: Reasons | undefined): CountsText {
  if (!reasons && isAll(digits, digits.charAt(0))) return `[{"${digits.charAt(0)}":${digits.length}},{}]`
  const byDigit: Record<string, number> = {}
  for (const digit of digits) byDigit[digit] = (byDigit[digit] ?? 0) + 1
  const byReason: Record<string, number> = {}
  for (const [reason, members] of Object.entries(reasons ?? {})) byReason[reason] = members.length
  return JSON.stringify([byDigit, byReason])
}

/**
 * Members as text: `[[device ids], [user ids]]`, each device id as the distance to the one before (broadcasts have
 * them in order, so that is mostly one digit), null where a member has none; 0 for a list that has none at all.
 */
export function encodeMembers(members: readonly Member[]): string {
  let before = 0
  const devices = members.map(({ deviceId }) => {
    if (deviceId === undefined) return null
    const distance = Number(deviceId) - before
    before += distance
    return distance
  })
  const users = members.map(({ userId }) => userId ?? null)
  return JSON.stringify([devices.some(isGiven) ? devices : 0, users.some(isGiven) ? users : 0])
}

const isGiven = (value: unknown): boolean => value !== null

export function decodeMembers(text: string, size: number): Member[] {
  const [distances, users] = JSON.parse(text) as [(number | null)[] | 0, (string | null)[] | 0]
  const members: Member[] = []
  let device = 0
  for (let index = 0; index < size; index++) {
    const member: Member = {}
    const distance = distances === 0 ? null : (distances[index] ?? null)
    if (distance !== null) {
      device += distance
      member.deviceId = String(device)
    }
    const user = users === 0 ? null : (users[index] ?? null)
    if (user !== null) member.userId = user
    members.push(member)
  }
  return members
}

/** The columns of a chunk as one JSON array; the table's alias is `c`. */
export const chunkColumns = (alias: string): string =>
  `json_array(${CHUNK_COLUMNS.map((name) => `${alias}.${name}`).join()})`
const CHUNK_COLUMNS = [
  'task',
  'seq',
  'app',
  'channel',
  'lane',
  'state',
  'gen',
  'fence',
  'starts',
  'started',
  'tries',
  'size',
  'lease_until',
  'next_at',
  'outcomes',
  'reasons',
  'members',
]
export type ChunkRow = [
  task: number,
  seq: number,
  app: number,
  channel: number | null,
  lane: number,
  state: number,
  gen: number,
  fence: number,
  starts: number,
  started: number,
  tries: number,
  size: number,
  leaseUntil: number | null,
  nextAt: number | null,
  outcomes: Digits,
  reasons: string | null,
  members: string,
]

export function toChunk(row: ChunkRow): Chunk {
  const [task, seq, app, channel, lane, state, gen, fence, starts, started, tries, size, leaseUntil, nextAt] = row
  return {
    taskId: String(task),
    seq,
    appId: String(app),
    ...(channel !== null && { channelId: String(channel) }),
    lane: LANES[lane] ?? 'bulk',
    members: decodeMembers(row[16], size),
    outcomes: outcomesOf(row[14]),
    reasons: row[15] === null ? {} : (JSON.parse(row[15]) as Reasons),
    state: CHUNK_STATES[state] ?? 'dead',
    gen,
    fence,
    starts,
    started,
    tries,
    ...(leaseUntil !== null && { leaseUntil: new Date(leaseUntil) }),
    ...(nextAt !== null && { nextAt: new Date(nextAt) }),
  }
}
