import type { VendorCase } from './lab.ts'

const PUSHES = 100

/** T54: the vendor took the request and its answer was lost. */
export const lostAnswers: VendorCase = {
  name: 'T54',
  promise: 'a reset after the request is unknown; onUnknown drop never sends twice, resend delivers',
  async run(lab) {
    const tokenOf = (index: number) => `cut-1-${index}`
    const drop = await lab.tenant('t54-drop', { platform: 'xiaomi', users: PUSHES, tokenOf: (n) => `${tokenOf(n)}d` })
    const resend = await lab.tenant('t54-resend', {
      platform: 'xiaomi',
      users: PUSHES,
      tokenOf: (n) => `${tokenOf(n)}r`,
    })
    const dropTasks = await drop.push(0, PUSHES, { onUnknown: 'drop' })
    const resendTasks = await resend.push(0, PUSHES)
    const dropped = await drop.counts(dropTasks)
    const resent = await resend.counts(resendTasks)
    const dropArrivals = (await drop.arrivals()).members
    return {
      held: dropped.ERROR === PUSHES && dropArrivals === PUSHES && resent.ASYNC_SUCCESS === PUSHES,
      unknown: dropped.ERROR,
      sentTwiceOnDrop: dropArrivals - PUSHES,
      deliveredOnResend: resent.ASYNC_SUCCESS,
    }
  },
}
