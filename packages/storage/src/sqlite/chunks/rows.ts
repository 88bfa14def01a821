import {
  type Chunk,
  type ChunkState,
  type Codes,
  dueAtOf,
  type Lane,
  type LedgerRow,
  type Member,
  OUTCOMES,
  type Outcome,
  toOutcomes,
} from '@fanfare/core'

/** The index is what the tables hold. States below `done` are open; the partial indexes of schema.ts rely on the order. */
export const CHUNK_STATES = ['waiting', 'planned', 'queued', 'sending', 'done', 'dead'] as const satisfies ChunkState[]
export const LANES = ['sync', 'single', 'bulk'] as const satisfies Lane[]
export const stateCode = (state: ChunkState): number => CHUNK_STATES.indexOf(state)

/** Outcomes of a chunk, one digit per member, or `2x1000` where a thousand members have the same. */
type Digits = string
const FIRST_DIGIT = '0'.charCodeAt(0)

/** The code of all members where they have the same, as most chunks have at their start and at their end. */
function commonOf(codes: Codes): number | undefined {
  const first = codes[0]
  for (let index = 1; index < codes.length; index++) if (codes[index] !== first) return undefined
  return first
}

export function toDigits(codes: Codes): Digits {
  const common = commonOf(codes)
  if (common !== undefined) return `${common}x${codes.length}`
  const bytes = Buffer.allocUnsafe(codes.length)
  for (let index = 0; index < codes.length; index++) bytes[index] = (codes[index] ?? 0) + FIRST_DIGIT
  return bytes.toString('latin1')
}

export const isCommon = (digits: Digits): boolean => digits.charAt(1) === 'x'

export function fromDigits(digits: Digits): Codes {
  if (isCommon(digits)) return new Uint8Array(Number(digits.slice(2))).fill(Number(digits.charAt(0)))
  const codes = new Uint8Array(digits.length)
  for (let index = 0; index < codes.length; index++) codes[index] = digits.charCodeAt(index) - FIRST_DIGIT
  return codes
}

const outcomesOf = (digits: Digits): Outcome[] =>
  isCommon(digits)
    ? new Array(Number(digits.slice(2))).fill(OUTCOMES[Number(digits.charAt(0))])
    : toOutcomes(fromDigits(digits))

type Reasons = LedgerRow['reasons']
const NO_REASONS: Reasons = new Map()
const toReasons = (text: string | null): Reasons =>
  text === null ? NO_REASONS : new Map(Object.entries(JSON.parse(text) as Record<string, number[]>))
export const reasonsText = (reasons: Reasons): string | null =>
  reasons.size === 0 ? null : JSON.stringify(Object.fromEntries(reasons))

/** `[{digit: members}, {reason: members}]`: what `counts` sums up, written together with the outcomes. */
type CountsText = string

export function countsOf(codes: Codes, reasons: Reasons): CountsText {
  const common = reasons.size === 0 ? commonOf(codes) : undefined
  if (common !== undefined) return `[{"${common}":${codes.length}},{}]`
  const byCode = new Array<number>(OUTCOMES.length).fill(0)
  for (let index = 0; index < codes.length; index++) byCode[codes[index] ?? 0] = (byCode[codes[index] ?? 0] ?? 0) + 1
  const byDigit = byCode.flatMap((members, code) => (members > 0 ? [[code, members]] : []))
  const byReason = Array.from(reasons, ([reason, members]) => [reason, members.length])
  return JSON.stringify([Object.fromEntries(byDigit), Object.fromEntries(byReason)])
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

/** What the ledger moves of a chunk, in the order of `LedgerColumns`. */
export const LEDGER_COLUMNS = [
  'lane',
  'state',
  'gen',
  'fence',
  'starts',
  'started',
  'tries',
  'lease_until',
  'next_at',
  'outcomes',
  'reasons',
] as const
export type LedgerColumns = [
  lane: number,
  state: number,
  gen: number,
  fence: number,
  starts: number,
  started: number,
  tries: number,
  leaseUntil: number | null,
  nextAt: number | null,
  outcomes: Digits,
  reasons: string | null,
]
const CHUNK_COLUMNS = ['task', 'seq', 'app', 'channel', 'size', 'members', ...LEDGER_COLUMNS]
export type ChunkRow = [
  task: number,
  seq: number,
  app: number,
  channel: number | null,
  size: number,
  members: string,
  ...ledger: LedgerColumns,
]

export const digitsOf = (row: ChunkRow): Digits => row[15]
export const ledgerOf = (row: ChunkRow): LedgerColumns => row.slice(6) as LedgerColumns

/** The columns of a chunk as one JSON array; the table's alias is `c`. */
export const chunkColumns = (alias: string): string =>
  `json_array(${CHUNK_COLUMNS.map((name) => `${alias}.${name}`).join()})`

/** `now`: what a chunk without an instant of its own is due at. */
export function toLedger(columns: LedgerColumns, now: number): LedgerRow {
  const row: LedgerRow = {
    lane: LANES[columns[0]] ?? 'bulk',
    state: CHUNK_STATES[columns[1]] ?? 'dead',
    gen: columns[2],
    fence: columns[3],
    starts: columns[4],
    started: columns[5],
    tries: columns[6],
    leaseUntil: columns[7],
    nextAt: columns[8],
    dueAt: null,
    outcomes: fromDigits(columns[9]),
    reasons: toReasons(columns[10]),
  }
  row.dueAt = dueAtOf(row, now)
  return row
}

export function toChunk(row: ChunkRow): Chunk {
  const [task, seq, app, channel, size, members, lane, state, gen, fence, starts, started, tries] = row
  const [leaseUntil, nextAt, outcomes, reasons] = [row[13], row[14], row[15], row[16]]
  return {
    taskId: String(task),
    seq,
    appId: String(app),
    ...(channel !== null && { channelId: String(channel) }),
    lane: LANES[lane] ?? 'bulk',
    state: CHUNK_STATES[state] ?? 'dead',
    members: decodeMembers(members, size),
    outcomes: outcomesOf(outcomes),
    reasons: reasons === null ? {} : (JSON.parse(reasons) as Chunk['reasons']),
    gen,
    fence,
    starts,
    started,
    tries,
    ...(leaseUntil !== null && { leaseUntil: new Date(leaseUntil) }),
    ...(nextAt !== null && { nextAt: new Date(nextAt) }),
  }
}
