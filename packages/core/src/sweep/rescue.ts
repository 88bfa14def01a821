import type { Rescue } from '../ports/store/chunks.ts'
import type { SweepContext } from './context.ts'

/** A chunk whose job stands, or that was enqueued again, is not looked at for so long. */
const QUIET_MS = 10_000

/** Enqueues again what Redis or a crash lost; of `limit` chunks at most. */
export async function rescue(ctx: SweepContext, limit: number): Promise<void> {
  const { store, jobs, config, memory } = ctx
  if (memory.isFull) return
  const lost = await store.chunks.lost(config.graceMs, limit)
  if (lost.length === 0) return
  const present = await jobs.present(lost)
  // A chunk in `sending` whose lease passed has lost its worker, although its job may still stand as active.
  const stands = (found: Rescue, index: number) => present[index] === true && found.state !== 'sending'
  const gone = lost.filter((found, index) => !stands(found, index))
  await store.chunks.stillQueued(lost.filter(stands), QUIET_MS)
  await enqueueAgain(ctx, gone)
}

async function enqueueAgain(ctx: SweepContext, gone: readonly Rescue[]): Promise<void> {
  if (gone.length === 0) return
  const { store, jobs, counters, log } = ctx
  const byKey = new Map(gone.map((found) => [`${found.taskId}-${found.seq}`, found]))
  const refs = await store.chunks.requeue(gone, QUIET_MS)
  const reasons: Record<string, number> = {}
  const items = refs.flatMap((ref) => {
    const found = byKey.get(`${ref.taskId}-${ref.seq}`)
    if (!found) return []
    reasons[found.reason] = (reasons[found.reason] ?? 0) + 1
    return [{ ...ref, platform: found.platform, channelId: found.channelId, lane: found.lane }]
  })
  await jobs.enqueue(items)
  for (const [reason, count] of Object.entries(reasons)) {
    counters.rescued[reason] = (counters.rescued[reason] ?? 0) + count
  }
  log.info({ rescued: reasons }, 'chunks enqueued again')
}
