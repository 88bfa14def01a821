import {
  type Chunk,
  countOutcomes,
  isFinal,
  type Member,
  type NewChunk,
  type Outcome,
  packOutcomes,
  reasonBeside,
  type Task,
  unpackOutcomes,
} from '@fanfare/core'
import { later } from '../clock.ts'
import type { ChunkDoc, ChunkFlags, ReasonDoc } from '../schemas.ts'

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

export const outcomesOf = (row: Pick<Draft, 'outcomes' | 'size'>): Outcome[] => unpackOutcomes(row.outcomes, row.size)

/** The outcomes and what is counted of them, always in one write. */
export function putOutcomes(row: Draft, outcomes: readonly Outcome[]): void {
  row.outcomes = Buffer.from(packOutcomes(outcomes))
  row.counts = countOutcomes(outcomes)
}

/** Of each member the reason, absent where it has none. */
export function reasonsByMember(row: Pick<Draft, 'reasons' | 'size'>): (string | undefined)[] {
  const byMember = new Array<string | undefined>(row.size)
  for (const reason of row.reasons) for (const index of indicesOf(reason)) byMember[index] = reason.r
  return byMember
}

export function putReasons(row: Draft, byMember: readonly (string | undefined)[]): void {
  const groups = new Map<string, number[]>()
  byMember.forEach((reason, index) => {
    if (reason === undefined) return
    const kept = reasonBeside(groups, reason)
    const group = groups.get(kept)
    if (group) group.push(index)
    else groups.set(kept, [index])
  })
  row.reasons = [...groups].map(([r, indices]) => toReason(r, indices))
}

const toReason = (r: string, indices: readonly number[]): ReasonDoc => {
  const i = Buffer.alloc(indices.length * 2)
  indices.forEach((index, position) => {
    i.writeUInt16LE(index, position * 2)
  })
  return { r, n: indices.length, i }
}

const indicesOf = ({ n, i }: ReasonDoc): number[] =>
  Array.from({ length: n }, (_, position) => i.readUInt16LE(position * 2))

/** The state's flags (schemas.ts). `now` is the instant from which a planned chunk waits for its job. */
export function putFlags(row: Draft, now: Date): void {
  const final = row.state === 'done' || row.state === 'dead'
  const waiting = row.state === 'waiting'
  const isBusy = !final && !waiting && row.lane === 'bulk'
  row.openTask = final ? undefined : row.taskId
  row.waits = waiting && row.lane === 'bulk' ? row.channelId : undefined
  row.parks = waiting && row.lane !== 'bulk' ? row.channelId : undefined
  row.busy = isBusy ? row.channelId : undefined
  const wake = final || waiting ? undefined : wakeOf(row, now)
  row.wakeKind = wake?.[0]
  row.wakeAt = wake?.[1]
}

function wakeOf(row: Draft, now: Date): [NonNullable<ChunkFlags['wakeKind']>, Date] {
  if (row.lane === 'sync') return ['sync', row.leaseUntil ?? now]
  if (row.state === 'planned') return ['planned', now]
  if (row.state === 'queued' && row.nextAt) return ['deferred', row.nextAt]
  return ['lease', row.leaseUntil ?? now]
}

export const isAllFinal = (outcomes: readonly Outcome[]): boolean => outcomes.every(isFinal)

type Owner = Pick<Task, 'id' | 'appId' | 'lane' | 'expiresAt'>

/** A chunk without a channel is final when it is written; others are in `state` unless they say otherwise. */
export function newRow(task: Owner, chunk: NewChunk, defaults: { now: Date; state: 'planned' | 'waiting' }): ChunkDoc {
  const size = chunk.members.length
  const row: ChunkDoc = {
    _id: chunkKey(task.id, chunk.seq),
    taskId: Number(task.id),
    seq: chunk.seq,
    appId: Number(task.appId),
    ...(chunk.channelId !== undefined && { channelId: Number(chunk.channelId) }),
    lane: task.lane,
    size,
    ...packMembers(chunk.members),
    outcomes: Buffer.alloc(0),
    counts: {},
    reasons: Object.entries(chunk.reasons ?? {}).map(([reason, indices]) => toReason(reason, indices)),
    state: chunk.state ?? (chunk.channelId === undefined ? 'done' : defaults.state),
    gen: 0,
    fence: chunk.fence ?? 0,
    starts: chunk.starts ?? 0,
    started: chunk.started ?? 0,
    tries: 0,
    ...(chunk.leaseMs !== undefined && { leaseUntil: later(defaults.now, chunk.leaseMs) }),
    at: task.expiresAt,
    rev: 0,
  }
  putOutcomes(row, chunk.outcomes ?? new Array<Outcome>(size).fill('unsent'))
  putFlags(row, defaults.now)
  return withoutUndefined(row)
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
    outcomes: outcomesOf(row),
    reasons: Object.fromEntries(row.reasons.map((reason) => [reason.r, indicesOf(reason)])),
    ...{ state, gen, fence, starts, started, tries },
    ...(leaseUntil && { leaseUntil }),
    ...(nextAt && { nextAt }),
  }
}
