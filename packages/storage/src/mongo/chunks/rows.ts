import {
  type Chunk,
  type ChunkState,
  type Codes,
  countOutcomes,
  created,
  type LedgerRow,
  type Member,
  type NewChunk,
  packOutcomes,
  type Task,
  toCodes,
  toOutcomes,
  unpackOutcomes,
} from '@fanfare/core'
import type { ChunkDoc, ChunkFlags, ReasonDoc, WakeKind } from '../schemas.ts'

export const chunkKey = (taskId: string | number, seq: number): string => `${taskId}.${seq}`

/** What of a chunk may change after it was written. */
export type Draft = Pick<
  ChunkDoc,
  | ('_id' | 'taskId' | 'channelId' | 'lane' | 'size' | 'rev' | 'range' | 'seq' | 'attempt')
  | ('outcomes' | 'counts' | 'reasons' | 'state' | 'gen' | 'fence' | 'starts' | 'started' | 'tries')
  | ('leaseUntil' | 'nextAt' | keyof ChunkFlags)
>
/** All of a draft without the members, which are the larger part. */
export const DRAFT_FIELDS = { ids: 0, users: 0 } as const

/** What the ledger is told of a chunk, and reads and changes of it. */
export function toLedger(row: Draft): LedgerRow {
  const { lane, state, gen, fence, starts, started, tries } = row
  return {
    ...{ lane, state, gen, fence, starts, started, tries },
    leaseUntil: row.leaseUntil?.getTime() ?? null,
    nextAt: row.nextAt?.getTime() ?? null,
    dueAt: row.wakeAt?.getTime() ?? null,
    outcomes: unpackOutcomes(row.outcomes, row.size),
    reasons: new Map(row.reasons.map((reason) => [reason.r, indicesOf(reason)])),
  }
}

/** The chunk as the ledger left it. Lists of members that it did not replace are not written again. */
export function withLedger(row: Draft, before: LedgerRow, next: LedgerRow): Draft {
  const { state, gen, fence, starts, started, tries } = next
  const fields = { ...{ state, gen, fence, starts, started, tries }, ...instantsOf(next) }
  return {
    ...row,
    ...fields,
    ...(next.outcomes !== before.outcomes && packed(next.outcomes)),
    ...(next.reasons !== before.reasons && { reasons: Array.from(next.reasons, toReason) }),
    ...flagsOf({ ...row, ...fields }),
  }
}

const instantsOf = ({ leaseUntil, nextAt, dueAt }: Pick<LedgerRow, 'leaseUntil' | 'nextAt' | 'dueAt'>) => ({
  leaseUntil: toDate(leaseUntil),
  nextAt: toDate(nextAt),
  wakeAt: toDate(dueAt),
})
const toDate = (instant: number | null): Date | undefined => (instant === null ? undefined : new Date(instant))

/** The outcomes and what is counted of them, always in one write. */
const packed = (codes: Codes): Pick<Draft, 'outcomes' | 'counts'> => ({
  outcomes: Buffer.from(packOutcomes(codes)),
  counts: countOutcomes(codes),
})

const toReason = ([r, indices]: readonly [string, readonly number[]]): ReasonDoc => {
  const i = Buffer.alloc(indices.length * 2)
  indices.forEach((index, position) => {
    i.writeUInt16LE(index, position * 2)
  })
  return { r, n: indices.length, i }
}

const indicesOf = ({ n, i }: ReasonDoc): number[] =>
  Array.from({ length: n }, (_, position) => i.readUInt16LE(position * 2))

type Flagged = Pick<Draft, 'taskId' | 'channelId' | 'lane' | 'state' | 'nextAt' | 'wakeAt'>

/** The state's flags (schemas.ts), but for `wakeAt`, which the ledger says. */
function flagsOf({ taskId, channelId, lane, state, nextAt, wakeAt }: Flagged): Omit<Required<Flags>, 'wakeAt'> {
  const final = state === 'done' || state === 'dead'
  const waiting = state === 'waiting'
  return {
    openTask: final ? undefined : taskId,
    waits: waiting && lane === 'bulk' ? channelId : undefined,
    parks: waiting && lane !== 'bulk' ? channelId : undefined,
    busy: !final && !waiting && lane === 'bulk' ? channelId : undefined,
    wakeKind: wakeAt && (lane === 'sync' ? 'sync' : wakeKindOf(state, nextAt)),
  }
}

type Flags = { [Key in keyof ChunkFlags]: ChunkFlags[Key] }

function wakeKindOf(state: ChunkState, nextAt: Date | undefined): WakeKind {
  if (state === 'planned') return 'planned'
  return state === 'queued' && nextAt ? 'deferred' : 'lease'
}

type Owner = Pick<Task, 'id' | 'appId' | 'lane' | 'expiresAt'>

export function newRow(task: Owner, chunk: NewChunk, defaults: { now: Date; state: 'planned' | 'waiting' }): ChunkDoc {
  const size = chunk.members.length
  const first = created(chunk, { now: defaults.now.getTime(), state: defaults.state })
  const { leaseUntil: _lease, nextAt: _next, dueAt: _due, ...counters } = first
  const row = {
    _id: chunkKey(task.id, chunk.seq),
    taskId: Number(task.id),
    seq: chunk.seq,
    appId: Number(task.appId),
    channelId: chunk.channelId === undefined ? undefined : Number(chunk.channelId),
    lane: task.lane,
    size,
    ...packMembers(chunk.members),
    ...packed(chunk.outcomes ? toCodes(chunk.outcomes) : new Uint8Array(size)),
    reasons: Object.entries(chunk.reasons ?? {}).map(toReason),
    ...counters,
    ...instantsOf(first),
    at: task.expiresAt,
    rev: 0,
  }
  return withoutUndefined({ ...row, ...flagsOf(row) })
}

function withoutUndefined<T extends object>(row: T): T {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as T
}

function packMembers(members: readonly Member[]): Pick<ChunkDoc, 'ids' | 'users'> {
  const ids = Buffer.alloc(members.length * 8)
  members.forEach((member, index) => {
    ids.writeDoubleLE(member.deviceId === undefined ? 0 : Number(member.deviceId), index * 8)
  })
  const hasUsers = members.some((member) => member.userId !== undefined)
  return { ids, ...(hasUsers && { users: JSON.stringify(members.map((member) => member.userId ?? null)) }) }
}

function unpackMembers(row: Pick<ChunkDoc, 'ids' | 'users' | 'size'>): Member[] {
  const users = row.users === undefined ? [] : (JSON.parse(row.users) as (string | null)[])
  return Array.from({ length: row.size }, (_, index) => {
    const id = row.ids.readDoubleLE(index * 8)
    const user = users[index]
    return { ...(id !== 0 && { deviceId: String(id) }), ...(typeof user === 'string' && { userId: user }) }
  })
}

export function toChunk(row: ChunkDoc): Chunk {
  const { seq, lane, state, gen, fence, starts, started, tries, leaseUntil, nextAt } = row
  return {
    taskId: String(row.taskId),
    seq,
    appId: String(row.appId),
    ...(row.channelId !== undefined && { channelId: String(row.channelId) }),
    lane,
    members: unpackMembers(row),
    outcomes: toOutcomes(unpackOutcomes(row.outcomes, row.size)),
    reasons: Object.fromEntries(row.reasons.map((reason) => [reason.r, indicesOf(reason)])),
    ...{ state, gen, fence, starts, started, tries },
    ...(leaseUntil && { leaseUntil }),
    ...(nextAt && { nextAt }),
  }
}
