import { within } from '@fanfare/redis'
import type { ApiContext } from '../context.ts'

const CHECK_MS = 2000

/**
 * `ok`: pushes are accepted. The store answers, a place is free and the process is not stopping; Redis may be down
 * (docs/reliability.md T4). `redis`: whether a job of every queue would be taken.
 */
export type Health = { status: 'ok' | 'stopping' | 'store down' | 'busy'; store: boolean; redis: boolean }

export async function healthOf(ctx: ApiContext): Promise<Health> {
  const { store, redis } = await partsOf(ctx)
  const status = !ctx.ready ? 'stopping' : !store ? 'store down' : ctx.inFlight.isFull ? 'busy' : 'ok'
  return { status, store, redis }
}

type Answering = { store: boolean; redis: boolean }
const asking = new WeakMap<ApiContext, Promise<Answering>>()

/** Whoever asks while it is being asked gets the same answer: anybody may ask, and the store must not feel it. */
function partsOf(ctx: ApiContext): Promise<Answering> {
  const known = asking.get(ctx)
  if (known !== undefined) return known
  const asked = Promise.all([answers(() => ctx.store.now()), answers(() => ctx.jobs.ready())])
  const parts = asked.then(([store, redis]) => ({ store, redis })).finally(() => asking.delete(ctx))
  asking.set(ctx, parts)
  return parts
}

function answers(ask: () => Promise<unknown>): Promise<boolean> {
  const asked = ask().then(
    () => true,
    () => false,
  )
  return within(CHECK_MS, asked, () => false)
}
