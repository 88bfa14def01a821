import { sleep, until } from '@fanfare/testkit'
import type { VendorCase } from './lab.ts'

const WATCH_MS = 15_000
/** Every worker sees a pause within this. */
const NOTICED_MS = 2000
/** Calls a minute that a revoked credential may cost once its channel is paused. */
const MOST_CALLS = 10
/**
 * Until then every worker finds out for itself: five refusals in a row, each with one refreshed token, and what was in
 * flight meanwhile.
 */
const MOST_CALLS_BEFORE = 15
const DEAD = 1000
const TOKEN_PUSHES = 200

/** T57: the credential is revoked while pushes wait. */
export const revoked: VendorCase = {
  name: 'T57',
  promise:
    'a revoked credential pauses the channel after five refusals: then at most 10 calls a minute, no token removed',
  async run(lab) {
    const pushes = lab.size(10_000)
    const tenant = await lab.tenant('t57', { platform: 'fcm', users: pushes })
    await lab.simulator.setFaults({ vendor: 'fcm', account: tenant.account, kind: '401' })
    await tenant.push(0, pushes)
    const reason = await until('the channel is paused', () => tenant.pausedFor(), { withinMs: 60_000 })
    await sleep(NOTICED_MS)
    const before = (await tenant.arrivals()).requests
    await sleep(WATCH_MS)
    const perMinute = (((await tenant.arrivals()).requests - before) * 60_000) / WATCH_MS
    const live = await tenant.liveDevices()
    await lab.simulator.clearFaults({ vendor: 'fcm', account: tenant.account })
    const few = perMinute <= MOST_CALLS && before <= MOST_CALLS_BEFORE * lab.fleet.workers.length
    return {
      held: few && live === pushes,
      callsBeforePause: before,
      callsPerMinute: perMinute,
      removed: pushes - live,
      pausedFor: reason,
    }
  },
}

/** T58: the vendor calls every token dead, as it does for a wrong project. */
export const allGone: VendorCase = {
  name: 'T58',
  promise: '1,000 dead tokens and no success: none is removed',
  async run(lab) {
    const tokenOf = (index: number) => `foreign-${index}`
    const tenant = await lab.tenant('t58', { platform: 'fcm', users: DEAD, tokenOf })
    const counts = await tenant.counts(await tenant.pushMany(DEAD))
    await sleep(3000)
    const live = await tenant.liveDevices()
    return {
      held: live === DEAD && counts.ASYNC_SUCCESS === 0,
      removed: DEAD - live,
      failed: counts.FAIL + counts.ERROR,
    }
  },
}

/** T59: the token endpoint is slow, then down. */
export const tokenEndpoint: VendorCase = {
  name: 'T59',
  promise: 'one refresh for the whole fleet; while the endpoint is down the cached token serves',
  async run(lab) {
    const before = await lab.simulator.counts('fcm')
    const tenant = await lab.tenant('t59', { platform: 'fcm', users: TOKEN_PUSHES })
    await lab.simulator.setFaults({ vendor: 'fcm', account: tenant.issuer, kind: 'oauth-delay', delayMs: 500 })
    const first = await tenant.counts(await tenant.push(0, TOKEN_PUSHES / 2))
    const after = await lab.simulator.counts('fcm')
    await lab.simulator.setFaults({ vendor: 'fcm', account: tenant.issuer, kind: 'oauth-down' })
    const second = await tenant.counts(await tenant.push(TOKEN_PUSHES / 2, TOKEN_PUSHES))
    const refreshes = (after.tokenCalls.fcm ?? 0) - (before.tokenCalls.fcm ?? 0)
    const sent = first.ASYNC_SUCCESS + second.ASYNC_SUCCESS
    return { held: refreshes === 1 && sent === TOKEN_PUSHES, refreshes, sent, workers: lab.fleet.workers.length }
  },
}
