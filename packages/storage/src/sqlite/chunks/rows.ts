import {
  type Chunk,
  isFinal,
  type Lane,
  type Member,
  OUTCOMES,
  type Outcome,
  REASONS_PER_CHUNK,
  reasonBeside,
} from '@fanfare/core'

/** The index is what the tables hold. States below `done` are open; the partial indexes of schema.ts rely on the order. */
export const CHUNK_STATES = ['waiting', 'planned', 'queued', 'sending', 'done', 'dead'] as const
export const LANES = ['sync', 'single', 'bulk'] as const satisfies Lane[]
export const WAITING = 0
export const PLANNED = 1
export const QUEUED = 2
export const SENDING = 3
export const DONE = 4
export const DEAD = 5

/** Outcomes of a chunk, one digit per member. */
export type Digits = string
/** `Digits` as the table has them: as they are, or `2x1000` where a thousand members have the same. */
export type PackedDigits = string
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

export const packed = (digits: Digits): PackedDigits =>
  isAll(digits, digits.charAt(0)) ? `${digits.charAt(0)}x${digits.length}` : digits
export const unpacked = (text: PackedDigits): Digits =>
  text.charAt(1) === 'x' ? text.charAt(0).repeat(Number(text.slice(2))) : text

const outcomesOf = (digits: Digits): Outcome[] =>
  isAll(digits, UNSENT) ? new Array(digits.length).fill('unsent') : Array.from(digits, outcomeOf)

/** Members by reason. A reason is what a vendor said, so that no name may have a meaning of its own. */
export type Reasons = Map<string, number[]>

export const toReasons = (text: string | null): Reasons =>
  new Map(text === null ? [] : Object.entries(JSON.parse(text) as Record<string, number[]>))
export const reasonsText = (reasons: Reasons | undefined): string | null =>
  reasons === undefined || reasons.size === 0 ? null : JSON.stringify(Object.fromEntries(reasons))

/** Adds members to those of a reason. */
export function addReason(reasons: Reasons, reason: string, ...members: readonly number[]): void {
  const known = reasons.get(reason)
  if (known) known.push(...members)
  else reasons.set(reason, [...members])
}

/** No more different reasons than a chunk may have. */
export function boundedReasons(reasons: Reasons): Reasons {
  if (reasons.size <= REASONS_PER_CHUNK) return reasons
  const kept: Reasons = new Map()
  for (const [reason, members] of reasons) addReason(kept, reasonBeside(kept, reason), ...members)
  return kept
}

/** `[{digit: members}, {reason: members}]`: what `counts` sums up, written together with the outcomes. */
export type CountsText = string

export function countsOf(digits: Digits, reasons: Reasons | undefined): CountsText {
  if (!reasons?.size && isAll(digits, digits.charAt(0))) return `[{"${digits.charAt(0)}":${digits.length}},{}]`
  const byDigit: Record<string, number> = {}
  for (const digit of digits) byDigit[digit] = (byDigit[digit] ?? 0) + 1
  const byReason = Array.from(reasons ?? [], ([reason, members]) => [reason, members.length])
  return JSON.stringify([byDigit, Object.fromEntries(byReason)])
}

/** From one device id to the next, and how many members follow one another so; null for a member without a device. */
type Run = number | null | [distance: number, times: number]
/** Shorter runs are written number by number. */
const LEAST_RUN = 4

/**
 * Members as text: `[[runs of device ids], [user ids]]`, null where a member has none; 0 for a list that has none at
 * all. A thousand devices bound one after another are one run.
 */
export function encodeMembers(members: readonly Member[]): string {
  const runs: Run[] = []
  let before = 0
  let distance: number | null = null
  let times = 0
  for (const { deviceId } of members) {
    const next = deviceId === undefined ? null : Number(deviceId) - before
    before += next ?? 0
    if (next !== distance) {
      endRun(runs, distance, times)
      distance = next
      times = 0
    }
    times++
  }
  endRun(runs, distance, times)
  const users = members.map(({ userId }) => userId ?? null)
  return JSON.stringify([runs.some(isGiven) ? runs : 0, users.some(isGiven) ? users : 0])
}

function endRun(runs: Run[], distance: number | null, times: number): void {
  if (distance !== null && times >= LEAST_RUN) runs.push([distance, times])
  else for (let time = 0; time < times; time++) runs.push(distance)
}

const isGiven = (value: unknown): boolean => value !== null

export function decodeMembers(text: string, size: number): Member[] {
  const [runs, users] = JSON.parse(text) as [Run[] | 0, (string | null)[] | 0]
  if (runs === 0) return Array.from({ length: size }, (_, index) => memberOf(undefined, users, index))
  const members: Member[] = []
  let device = 0
  for (const run of runs) {
    const [distance, times] = Array.isArray(run) ? run : [run, 1]
    for (let time = 0; time < times; time++) {
      device += distance ?? 0
      members.push(memberOf(distance === null ? undefined : String(device), users, members.length))
    }
  }
  return members
}

function memberOf(deviceId: string | undefined, users: (string | null)[] | 0, index: number): Member {
  const userId = users === 0 ? null : (users[index] ?? null)
  if (deviceId === undefined) return userId === null ? {} : { userId }
  return userId === null ? { deviceId } : { deviceId, userId }
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
  outcomes: PackedDigits,
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
    outcomes: outcomesOf(unpacked(row[14])),
    reasons: row[15] === null ? {} : (JSON.parse(row[15]) as Chunk['reasons']),
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
