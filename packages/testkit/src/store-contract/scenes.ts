import type { ChunkRef, ChunkState, NewChunk, NewTask, Outcome, Store } from '@fanfare/core'

/** Instants of the suite are multiples of this, so that the time a test takes does not matter. */
export const STEP_MS = 600_000
export const STANDS_MS = 3 * STEP_MS
export const FENCE = 3
export const STARTS = 4

type TaskOver = Partial<NewTask['task']>

/** What stands around a chunk: its task, its lane, its channel. `end`: the state its task gets when the chunk is there. */
export type World = { task: TaskOver; end?: 'paused' | 'done' | 'cancelled' | 'failed'; isChannelGone?: boolean }

const canary = (state: 'running' | 'held' | 'passed') => ({ percent: 1, maxFailPercent: 1, state })

export const PLAIN = 'a task being sent'

export const WORLDS: Record<string, World> = {
  [PLAIN]: { task: {} },
  'one planned yet, drop': { task: { state: 'planning', onUnknown: 'drop' } },
  'a scheduled one': { task: { state: 'scheduled' } },
  'a paused one': { task: {}, end: 'paused' },
  'a cancelled one': { task: {}, end: 'cancelled' },
  'a done one': { task: {}, end: 'done' },
  'a failed single one': { task: { lane: 'single' }, end: 'failed' },
  'an expired one': { task: { expiresAt: new Date(Date.now() - STEP_MS) } },
  'an expired, cancelled one': { task: { expiresAt: new Date(Date.now() - STEP_MS) }, end: 'cancelled' },
  'a single one, drop': { task: { lane: 'single', onUnknown: 'drop' } },
  'a running canary': { task: { canary: canary('running') } },
  'a held canary': { task: { canary: canary('held') } },
  'a passed canary': { task: { canary: canary('passed') } },
  'a removed channel': { task: {}, isChannelGone: true },
  'a removed channel, single': { task: { lane: 'single' }, isChannelGone: true },
  'a removed channel, cancelled': { task: {}, end: 'cancelled', isChannelGone: true },
  'a removed channel, cancelled single': { task: { lane: 'single' }, end: 'cancelled', isChannelGone: true },
  'a synchronous push': { task: { lane: 'sync' } },
  'a removed channel, synchronous': { task: { lane: 'sync' }, isChannelGone: true },
  'a cancelled synchronous push': { task: { lane: 'sync' }, end: 'cancelled' },
}

/** A chunk as it was written, and what was done to it then. `stands`: the sweeper found its job where it should be. */
export type Scene = {
  chunk: Partial<NewChunk> & { state: ChunkState }
  released?: { nextAt?: Date }
  stands?: boolean
}

const mixed: Outcome[] = ['sent', 'unsent', 'started', 'deferred', 'unsent', 'unsent']
const begun = { fence: FENCE, starts: STARTS, outcomes: mixed, reasons: { busy: [3] } }
const FINAL: Outcome[] = ['sent', 'sent', 'invalid', 'rejected', 'sent', 'sent']
const [held, passed] = [{ leaseMs: STEP_MS }, { leaseMs: -STEP_MS }]

export const SCENES: Record<string, Scene> = {
  'waiting, fresh': { chunk: { state: 'waiting' } },
  'waiting, begun before': { chunk: { state: 'waiting', ...begun, started: 4 } },
  'planned, fresh': { chunk: { state: 'planned' } },
  'planned, begun before': { chunk: { state: 'planned', ...begun, started: 4 } },
  'queued, lost twice': { chunk: { state: 'queued', ...begun, started: 4, ...passed } },
  'queued, lost': { chunk: { state: 'queued', ...begun, started: 4, ...held } },
  'queued, its job stands': { chunk: { state: 'queued', ...begun, started: 4, ...passed }, stands: true },
  'released at once': { chunk: { state: 'sending', ...begun, started: 4, ...held }, released: {} },
  'released until then': {
    chunk: { state: 'sending', ...begun, started: 4, ...held },
    released: { nextAt: new Date(Date.now() + 2 * STEP_MS) },
  },
  'released, its time has come': {
    chunk: { state: 'sending', ...begun, started: 4, ...held },
    released: { nextAt: new Date(Date.now() - STEP_MS) },
  },
  'being sent': { chunk: { state: 'sending', ...begun, started: 3, ...held } },
  'crashed at its start': { chunk: { state: 'sending', fence: FENCE, starts: 1, started: 2, ...passed } },
  'crashed on its way': { chunk: { state: 'sending', ...begun, started: 3, ...passed } },
  'crashed at its end': { chunk: { state: 'sending', ...begun, outcomes: FINAL, reasons: {}, started: 6, ...passed } },
  'crashed with all handed over': { chunk: { state: 'sending', fence: FENCE, starts: 2, started: 6, ...passed } },
  done: { chunk: { state: 'done', ...begun, outcomes: FINAL, reasons: {} } },
  dead: { chunk: { state: 'dead', ...begun, outcomes: FINAL, reasons: {} } },
}

export type Cast = { name: string; scene: Scene; world: World; task: NewTask['task']; ref: ChunkRef; channelId: string }

/** What the table is told of what stands around a chunk. */
export const factsOf = ({ task, world: { end, isChannelGone = false } }: Cast) => ({
  isChannelGone,
  task: { ...task, state: end ?? task.state },
})

/** Writes all casts and brings each to where its scene starts. */
export async function play(store: Store, casts: readonly Cast[]): Promise<void> {
  await store.tasks.create(
    casts.map(({ task, scene, channelId, ref: { seq } }) => {
      const members = Array.from({ length: 6 }, (_, index) => ({ deviceId: String(index + 1) }))
      return { task, chunks: [{ seq, channelId, members, ...scene.chunk }] }
    }),
  )
  const writes = casts.flatMap(({ scene: { released }, ref }) =>
    released ? [{ ...ref, fence: FENCE, state: 'queued' as const, ...released }] : [],
  )
  await store.chunks.write(writes)
  await store.chunks.stillQueued(
    casts.flatMap(({ scene, ref }) => (scene.stands ? ref : [])),
    STANDS_MS,
  )
  await Promise.all(
    casts.flatMap(({ world: { end }, task }) => (end ? store.tasks.update(task.id, { state: end }) : [])),
  )
  const gone = new Set(casts.flatMap(({ world, channelId }) => (world.isChannelGone ? channelId : [])))
  for (const channelId of gone) await store.channels.remove(channelId)
}
