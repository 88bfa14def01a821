import type { Answer, RootRoute } from '../route.ts'

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

/** Pushes are accepted: the store answers and the process is not stopping. Redis may be down (reliability.md T4). */
export const getHealthReady: RootRoute = {
  policy: 'open',
  method: 'GET',
  path: '/health/ready',
  body: 'none',
  async handle(ctx) {
    const [store, redis] = await Promise.all([answers(() => ctx.store.now()), answers(() => ctx.redis.ping())])
    const ready = ctx.ready && store
    return answer(ready ? 200 : 503, {
      status: ready ? 'ok' : ctx.ready ? 'store down' : 'stopping',
      store: store ? 'ok' : 'down',
      redis: redis ? 'ok' : 'down',
    })
  },
}

async function answers(ask: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), CHECK_MS)
  })
  const asked = ask().then(
    () => true,
    () => false,
  )
  return Promise.race([asked, late]).finally(() => clearTimeout(timer))
}
