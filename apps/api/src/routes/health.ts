import type { Answer, RootRoute } from '../http/route.ts'
import { healthOf } from '../operations/health.ts'

const answer = (status: number, value: object): Answer => ({ status, body: JSON.stringify(value) })

/** The process runs. */
export const getHealthLive: RootRoute = {
  policy: 'open',
  method: 'GET',
  path: '/health/live',
  body: 'none',
  handle: async () => answer(200, { status: 'ok' }),
}

/** Pushes are accepted, see `Health`. */
export const getHealthReady: RootRoute = {
  policy: 'open',
  method: 'GET',
  path: '/health/ready',
  body: 'none',
  async handle(ctx) {
    const { status, store, redis } = await healthOf(ctx)
    return answer(status === 'ok' ? 200 : 503, {
      status,
      store: store ? 'ok' : 'down',
      redis: redis ? 'ok' : 'down',
    })
  },
}
