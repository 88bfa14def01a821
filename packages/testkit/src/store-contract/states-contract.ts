import {
  after,
  afterFirst,
  afterWrite,
  type Chunk,
  type ChunkEvent,
  type ChunkWrite,
  dueAtOf,
  EVENTS,
  type Given,
  type LedgerRow,
  type Rule,
  type Store,
  toCodes,
  toOutcomes,
} from '@fanfare/core'
import { expect, it } from '@jest/globals'
import type { Make } from '../make.ts'
import { type Cast, FENCE, factsOf, PLAIN, play, SCENES, STANDS_MS, STEP_MS, WORLDS } from './scenes.ts'
import { ALL, eventually, type GetSubject, type Subject } from './subject.ts'

type Write = Omit<ChunkWrite, 'taskId' | 'seq'>
/**
 * How an event of the table comes to a store. `events`: those one call stands for, the first that applies. `plainly`: what
 * matters is only what the call says, so that one task is enough.
 */
type Call = {
  events: readonly ChunkEvent[]
  plainly?: boolean
  given?: (row: LedgerRow) => Partial<Given>
  write?: Write
  run(store: Store, casts: readonly Cast[]): Promise<unknown>
}

const LEASE_MS = 4 * STEP_MS
const OPEN_SWEEPS = ['expire', 'taskOver', 'channelGone'] as const
const refs = (casts: readonly Cast[], later = 0) => casts.map(({ ref }) => ({ ...ref, gen: ref.gen + later }))

const writing = (event: ChunkEvent, write: Partial<Write>, plainly = false): Call => ({
  plainly,
  events: [event, 'stop'],
  write: { fence: FENCE, ...write },
  run: (store, casts) => store.chunks.write(casts.map(({ ref }) => ({ fence: FENCE, ...write, ...ref }))),
})
const claiming = (gen: number): Call => ({
  plainly: gen !== 0,
  events: ['claim'],
  given: (row) => ({ gen: row.gen + gen, leaseMs: LEASE_MS, firstWindow: 2 }),
  run: async (store, casts) => (await store.chunks.claim(refs(casts, gen), LEASE_MS, 2)).length,
})
const requeueing = (gen: number): Call => ({
  plainly: gen !== 0,
  events: ['requeue'],
  given: (row) => ({ gen: row.gen + gen, leaseMs: LEASE_MS }),
  run: async (store, casts) => (await store.chunks.requeue(refs(casts, gen), LEASE_MS)).length,
})
const parking = (gen: number): Call => ({
  plainly: gen !== 0,
  events: ['park'],
  given: (row) => ({ gen: row.gen + gen }),
  run: async (store, casts) => (await store.chunks.park(refs(casts, gen))).length,
})

const CALLS: Record<string, Call> = {
  promote: {
    events: ['promote'],
    async run(store, casts) {
      for (const channelId of new Set(casts.map((cast) => cast.channelId))) {
        for (const lane of ['bulk', 'single'] as const) await store.chunks.promote(channelId, ALL, lane)
      }
    },
  },
  park: parking(0),
  'park by an older job': parking(-1),
  'park by a job of the future': parking(1),
  claim: claiming(0),
  'claim by an older job': claiming(-1),
  'claim by a job of the future': claiming(1),
  requeue: requeueing(0),
  'requeue of an older one': requeueing(-1),
  'record outcomes': writing('record', {
    outcomes: [
      [0, 'rejected', 'late'],
      [1, 'sent'],
      [3, 'invalid', 'gone'],
      [4, 'deferred', 'busy'],
      [99, 'sent'],
    ],
  }),
  'mark a window': writing('record', { started: 5, leaseMs: LEASE_MS, outcomes: [[3, 'started']] }),
  'mark less and beyond': writing('record', { started: 99, countTry: true }, true),
  'record as a zombie': writing('record', { fence: FENCE - 1, outcomes: [[1, 'sent']], started: 6 }),
  release: writing('release', { state: 'queued', started: 0, outcomes: [[1, 'deferred', 'busy']], countTry: true }),
  'release as a zombie': writing('release', { fence: FENCE - 1, state: 'queued' }, true),
  'release until then': writing('release', { state: 'queued', nextAt: new Date(Date.now() + 2 * STEP_MS) }, true),
  close: writing('close', { state: 'done', outcomes: [[1, 'sent']] }),
  'close as a zombie': writing('close', { fence: FENCE + 1, state: 'done' }, true),
  cancel: {
    events: ['cancel'],
    async run(store, casts) {
      await Promise.all(casts.map(({ task }) => store.chunks.cancel(task.id)))
    },
  },
  expire: {
    events: OPEN_SWEEPS,
    run: async (store) => (await store.chunks.expire(ALL)) + (await store.chunks.removeOrphans(ALL)),
  },
  abandon: { events: ['abandon'], run: (store) => store.chunks.abandonSync(ALL) },
  bury: { events: ['bury'], given: () => ({ maxStarts: 2 }), run: (store) => store.chunks.bury(2, ALL) },
}

/**
 * Every state × event of the table (core/ledger/states), amid all that a guard may ask for: what the store makes of it is
 * what the table says.
 */
export function stateCases(get: GetSubject): void {
  const decided = new Set<string>()

  it.each(Object.entries(CALLS))('%s', (_, call) => check(get(), call, decided), 120_000)

  it('has a case for every state of an event, and one for each guard that it alone refuses', () => {
    const all = Object.entries<Rule>(EVENTS).flatMap(([event, { from, always }]) => {
      const guards = [...Object.values(from), always].flat().map(({ name }) => name)
      return [...Object.keys(from), ...guards].map((what) => `${event} ${what}`)
    })
    expect(all.filter((name) => !decided.has(name))).toEqual([])
  })
}

async function check({ store, make }: Subject, call: Call, decided: Set<string>): Promise<void> {
  const casts = await castsOf(make, call)
  const at = (await store.now()).getTime()
  await play(store, casts)
  const before = await rowsOf(store, casts, at)
  const written = await store.now()
  const later = await eventually(
    () => store.now(),
    (now) => now > written,
  )
  const answers = await call.run(store, casts)
  const next = before.map(({ cast, row }) => {
    const given = {
      now: later.getTime(),
      ...factsOf(cast),
      ...call.given?.(row),
      ...(call.write && { write: call.write }),
    }
    for (const event of call.events) note(decided, event, row, given)
    return { cast, ...applied(call, row, given) }
  })
  const found = await rowsOf(store, casts, at)
  expect(
    named(
      casts,
      found.map(({ row }) => shapeOf(row, at)),
    ),
  ).toEqual(
    named(
      casts,
      next.map(({ row }) => shapeOf(row, at)),
    ),
  )
  if (call.write)
    expect(named(casts, answers as boolean[])).toEqual(
      named(
        casts,
        next.map(({ goesOn }) => goesOn),
      ),
    )
  const lost = next.flatMap(({ cast, row }) => (isLost(cast, row, later.getTime()) ? cast.name : []))
  expect(
    await eventually(
      () => lostOf(store, casts),
      (names) => names.length === lost.length,
    ),
  ).toEqual(lost)
  await tidy(store, casts)
}

const named = (casts: readonly Cast[], list: readonly unknown[]) =>
  Object.fromEntries(casts.map(({ name }, index) => [name, list[index]]))

async function lostOf(store: Store, casts: readonly Cast[]): Promise<string[]> {
  const ids = new Set((await store.chunks.lost(0, ALL)).map(({ taskId }) => taskId))
  return casts.filter(({ task }) => ids.has(task.id)).map(({ name }) => name)
}

/**
 * Every scene in a plain world; those in a state that the event is for in all worlds. On a channel that stays and one that
 * goes.
 */
async function castsOf(make: Make, { events, plainly = false }: Call): Promise<Cast[]> {
  const [there, gone] = [await make.channel(), await make.channel()]
  const states = new Set(plainly ? [] : events.flatMap((event) => Object.keys(EVENTS[event].from)))
  const casts: Cast[] = []
  for (const [around, world] of Object.entries(WORLDS)) {
    for (const [start, scene] of Object.entries(SCENES)) {
      if (around !== PLAIN && !states.has(scene.released ? 'queued' : scene.chunk.state)) continue
      const channel = world.isChannelGone ? gone : there
      const task = await make.task({ appId: channel.appId, ...world.task })
      const ref = { taskId: task.id, seq: 0, gen: 0 }
      casts.push({ name: `${start}, of ${around}`, scene, world, task, ref, channelId: channel.id })
    }
  }
  return casts
}

/** The chunks as the table has them; `at`: when they were planned. */
async function rowsOf(store: Store, casts: readonly Cast[], at: number): Promise<{ cast: Cast; row: LedgerRow }[]> {
  const chunks = await store.chunks.byRefs(casts.map(({ ref }) => ref))
  return casts.map((cast, index) => {
    const chunk = chunks[index]
    if (!chunk) throw new Error(`there is no chunk ${cast.name}`)
    const row = toRow(chunk, at)
    return { cast, row: cast.scene.stands && row.lane !== 'sync' ? { ...row, dueAt: at + STANDS_MS } : row }
  })
}

function toRow(chunk: Chunk, at: number): LedgerRow {
  const { lane, state, gen, fence, starts, started, tries } = chunk
  const outcomes = toCodes(chunk.outcomes)
  const leaseUntil = chunk.leaseUntil?.getTime() ?? null
  const nextAt = chunk.nextAt?.getTime() ?? null
  const row = { ...{ lane, state, gen, fence, starts, started, tries, outcomes }, leaseUntil, nextAt }
  return { ...row, dueAt: dueAtOf(row, at), reasons: new Map(Object.entries(chunk.reasons)) }
}

/** As it can be compared: instants in steps from the start of the test. */
function shapeOf({ dueAt: _, ...row }: LedgerRow, at: number): unknown {
  const steps = (instant: number | null) => (instant === null ? null : Math.round((instant - at) / STEP_MS))
  const reasons = Object.fromEntries(Array.from(row.reasons, ([reason, members]) => [reason, [...members].sort()]))
  const outcomes = toOutcomes(row.outcomes)
  return { ...row, outcomes, leaseUntil: steps(row.leaseUntil), nextAt: steps(row.nextAt), reasons }
}

/** What the table makes of it; where it has no such step, the row as it was, and a writer that must stop. */
function applied({ events, write }: Call, row: LedgerRow, given: Given): { row: LedgerRow; goesOn: boolean } {
  if (write) return afterWrite(row, { ...given, write }) ?? { row, goesOn: false }
  return { row: afterFirst(events, row, given) ?? row, goesOn: true }
}

/** Which state an event moved, and which guard was the only one to refuse. */
function note(decided: Set<string>, event: ChunkEvent, row: LedgerRow, given: Given): void {
  if (after(event, row, given)) decided.add(`${event} ${row.state}`)
  const { from, always }: Rule = EVENTS[event]
  const here = from[row.state]
  const refusing = here ? [...here, ...always].filter((guard) => !guard(row, given)) : []
  const [only] = refusing
  if (only && refusing.length === 1) decided.add(`${event} ${only.name}`)
}

/** Whether the sweeper finds it: open, and of a task that is being sent. */
function isLost({ task, world }: Cast, row: LedgerRow | undefined, now: number): boolean {
  const sends = world.end === undefined && (task.state === 'sending' || task.state === 'planning')
  if (!sends || world.isChannelGone || row?.lane === 'sync') return false
  return row !== undefined && row.dueAt !== null && row.dueAt <= now
}

/** Other suites ask the store for all that is open. */
async function tidy(store: Store, casts: readonly Cast[]): Promise<void> {
  for (const fence of [0, FENCE, FENCE + 1]) {
    await store.chunks.write(casts.map(({ ref }) => ({ ...ref, fence, state: 'done' })))
  }
  const chunks = await store.chunks.byRefs(casts.map(({ ref }) => ref))
  const open = chunks.filter((chunk) => chunk && !['done', 'dead'].includes(chunk.state))
  await Promise.all(open.map((chunk) => store.chunks.cancel(chunk?.taskId ?? '')))
}
