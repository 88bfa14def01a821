import { sleep } from '@fanfare/testkit'
import type { CaseResult, Lab } from './lab.ts'
import type { TcpProxy } from './tcp-proxy.ts'

const PUSHES = 200
const AWAY_MS = 4000

export const PROMISE_53 = 'connecting is refused, reset or black-holed: nothing is lost and nothing is sent twice'

export async function unreachable(lab: Lab, proxy: TcpProxy): Promise<CaseResult> {
  const tenant = await lab.tenant('t53', { platform: 'xiaomi', users: 3 * PUSHES })
  await proxy.refuse()
  const refused = await tenant.push(0, PUSHES)
  await sleep(AWAY_MS)
  await proxy.open()
  const first = await tenant.counts(refused)
  proxy.mode = 'reset'
  proxy.cut()
  const reset = await tenant.push(PUSHES, 2 * PUSHES)
  await sleep(AWAY_MS)
  proxy.mode = 'pass'
  const second = await tenant.counts(reset)
  const delivered = await tenant.delivered()
  const sent = first.ASYNC_SUCCESS + second.ASYNC_SUCCESS
  return {
    held: sent === 2 * PUSHES && delivered.unique === sent && delivered.duplicates === 0,
    sent,
    lost: 2 * PUSHES - delivered.unique,
    duplicates: delivered.duplicates,
  }
}

export const PROMISE_61 = 'a certificate of an unknown CA is refused: no request reaches the vendor'

export async function untrusted(lab: Lab): Promise<CaseResult> {
  const tenants = [
    await lab.tenant('t61-fcm', { platform: 'fcm', users: 20 }),
    await lab.tenant('t61-xiaomi', { platform: 'xiaomi', users: 20 }),
  ]
  for (const tenant of tenants) await tenant.push(0, 20)
  await sleep(AWAY_MS)
  const arrivals = await Promise.all(tenants.map((tenant) => tenant.arrivals()))
  const requests = arrivals.reduce((sum, each) => sum + each.requests, 0)
  return { held: requests === 0, requests, pushes: 40 }
}
