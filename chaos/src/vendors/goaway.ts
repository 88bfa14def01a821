import type { VendorCase } from './lab.ts'

const EVERY_NTH = 100

/** T56: the vendor sends GOAWAY again and again, and refuses streams. */
export const goaway: VendorCase = {
  name: 'T56',
  promise: 'GOAWAY each 100 streams and refused streams: 0 lost, 0 sent twice',
  async run(lab) {
    const pushes = lab.size(10_000)
    const tenant = await lab.tenant('t56', { platform: 'fcm', users: pushes })
    const { account } = tenant
    await lab.simulator.setFaults({ vendor: 'fcm', account, kind: 'goaway', everyNth: EVERY_NTH })
    await lab.simulator.setFaults({ vendor: 'fcm', account, kind: 'refuse-stream', everyNth: EVERY_NTH - 3 })
    const counts = await tenant.counts(await tenant.push(0, pushes))
    const delivered = await tenant.delivered()
    return {
      held: counts.ASYNC_SUCCESS === pushes && delivered.unique === pushes && delivered.duplicates === 0,
      accepted: pushes,
      delivered: delivered.unique,
      lost: pushes - delivered.unique,
      duplicates: delivered.duplicates,
    }
  },
}
