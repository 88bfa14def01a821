import { within } from '@fanfare/redis'
import type { ApiContext } from '../context.ts'
import type { Answer, RootRoute } from '../http/route.ts'

const CHECK_MS = 2000
const answer = (status: number, value: object): Answer => ({ status, body: JSON.stringify(value) })

/** The process runs. */
export const getHealthLive: RootRoute = {
  policy: 'open',
  method: 'GET',
  path: '/health/live',
  body: 'none',
  handle: async () => answer(200, { status: 'ok' }),
}

/**
 * Pushes are accepted: the store answers, a place is free and the process is not stopping. Redis may be down
 * (docs/reliability.md T4): `redis` says whether a job of every queue would be taken.
 */
export const getHealthReady: RootRoute = {
  policy: 'open',
  method: 'GET',
  path: '/health/ready',
  body: 'none',
  async handle(ctx) {
    const { store, redis } = await partsOf(ctx)
    const status = !ctx.ready ? 'stopping' : !store ? 'store down' : ctx.inFlight.isFull ? 'busy' : 'ok'
    return answer(status === 'ok' ? 200 : 503, {
      status,
      store: store ? 'ok' : 'down',
      redis: redis ? 'ok' : 'down',
    })
  },
}

type Health = { store: boolean; redis: boolean }
const asking = new WeakMap<ApiContext, Promise<Health>>()

/** Whoever asks while it is being asked gets the same answer: anybody may ask, and the store must not feel it. */
function partsOf(ctx: ApiContext): Promise<Health> {
  const known = asking.get(ctx)
  if (known !== undefined) return known
  const asked = Promise.all([answers(() => ctx.store.now()), answers(() => ctx.jobs.ready())])
  const health = asked.then(([store, redis]) => ({ store, redis })).finally(() => asking.delete(ctx))
  asking.set(ctx, health)
  return health
}

function answers(ask: () => Promise<unknown>): Promise<boolean> {
  const asked = ask().then(
    () => true,
    () => false,
  )
  return within(CHECK_MS, asked, () => false)
}
