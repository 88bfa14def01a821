import type { VendorCase } from './lab.ts'

const PUSHES = 300
const SHARE = 0.3
/** Requests ÷ pushes that a failure rate of 30 % may cost. */
const AMPLIFICATION = 1.5

/** T52: 30 % of the requests fail with 500; all succeed in the end. */
export const serverErrors: VendorCase = {
  name: 'T52',
  promise: '30 % answers of 500: all delivered in the end, at most 1.5 requests per push',
  async run(lab) {
    const tenant = await lab.tenant('t52', { platform: 'fcm', users: PUSHES })
    await lab.simulator.setFaults({ vendor: 'fcm', account: tenant.account, kind: '500', rate: SHARE, seed: 52 })
    const counts = await tenant.counts(await tenant.push(0, PUSHES), 180_000)
    const amplification = (await tenant.arrivals()).requests / PUSHES
    return {
      held: counts.ASYNC_SUCCESS === PUSHES && amplification <= AMPLIFICATION,
      sent: counts.ASYNC_SUCCESS,
      amplification: Number(amplification.toFixed(2)),
    }
  },
}
