import { simulatorClient } from '@fanfare/simulator'
import {
  type Figures,
  Fleet,
  type FleetOptions,
  numberOf,
  type Options,
  progress,
  round,
  type Scenario,
  STORE_OPTIONS,
  storeFigures,
  storeOptions,
} from '@fanfare/testkit'
import { entryScript } from '../tools/entries.ts'
import { lostAnswers } from './ambiguous.ts'
import { PROMISE_53, PROMISE_61, unreachable, untrusted } from './connect.ts'
import { allGone, revoked, tokenEndpoint } from './credentials.ts'
import { foreignCa } from './foreign-ca.ts'
import { goaway } from './goaway.ts'
import { endlessAnswers, oddReasons, rubbish } from './hostile.ts'
import { type CaseResult, Lab, type VendorCase } from './lab.ts'
import { serverErrors } from './server-errors.ts'
import { TcpProxy } from './tcp-proxy.ts'
import { throttling } from './throttling.ts'

/** What vendors do to their senders: docs/reliability.md T51 to T61, each with its number. */
export const vendors: Scenario = {
  options: {
    ...STORE_OPTIONS,
    only: { type: 'string' },
    scale: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
  },
  run,
}

/** These watch times, memory or calls of the whole fleet, so nothing may run beside them. */
const ALONE: readonly VendorCase[] = [tokenEndpoint, throttling, endlessAnswers]
const TOGETHER: readonly VendorCase[] = [serverErrors, lostAnswers, goaway, revoked, allGone, rubbish, oddReasons]

type Ran = CaseResult & { name: string }

async function run(options: Options): Promise<Figures> {
  const startedAt = performance.now()
  const wanted = (name: string) => options['only'] === undefined || String(options['only']).split(',').includes(name)
  const ran: Ran[] = []
  await withLab(options, {}, async (lab) => {
    for (const each of ALONE.filter(({ name }) => wanted(name))) ran.push(await runCase(each, lab))
    ran.push(...(await Promise.all(TOGETHER.filter(({ name }) => wanted(name)).map((each) => runCase(each, lab)))))
  })
  if (wanted('T53')) ran.push(await behindProxy(options))
  if (wanted('T61')) ran.push(await withForeignCa(options))
  const failed = ran.filter(({ held }) => !held)
  return {
    scenarios: ran.length,
    failed: failed.length,
    cases: Object.fromEntries(ran.map(({ name, ...result }) => [name, result])),
    seconds: round((performance.now() - startedAt) / 1000),
    ...storeFigures(options),
    held: failed.length === 0,
  }
}

async function runCase(each: VendorCase, lab: Lab): Promise<Ran> {
  progress(`${each.name}: ${each.promise}`)
  const result = await each.run(lab).catch((error: unknown) => ({ held: false, error: String(error) }))
  progress(`${each.name} ${result.held ? 'held' : 'BROKEN'} ${JSON.stringify(result)}`)
  return { name: each.name, ...result }
}

async function behindProxy(options: Options): Promise<Ran> {
  let proxy: TcpProxy | undefined
  const vendorEnv = async (url: string) => {
    proxy = await TcpProxy.start(url)
    return { VENDOR_URL: proxy.url }
  }
  const each = { name: 'T53', promise: PROMISE_53, run: (lab: Lab) => unreachable(lab, proxy as TcpProxy) }
  try {
    return await withLab(options, { vendorEnv }, (lab) => runCase(each, lab))
  } finally {
    await proxy?.close()
  }
}

function withForeignCa(options: Options): Promise<Ran> {
  const each = { name: 'T61', promise: PROMISE_61, run: untrusted }
  const vendorEnv = async () => ({ VENDOR_CA: await foreignCa() })
  return withLab(options, { vendorEnv }, (lab) => runCase(each, lab))
}

/** A fleet whose deferred members come round ten times sooner than in production, so that retries fit a test. */
async function withLab<T>(options: Options, extra: FleetOptions, use: (lab: Lab) => Promise<T>): Promise<T> {
  const fleet = await Fleet.start({
    ...storeOptions(options),
    workers: numberOf(options, 'workers'),
    workerScript: entryScript('worker-quick-retries'),
    log: progress,
    ...extra,
  })
  try {
    const simulator = simulatorClient(fleet.controlUrl)
    return await use(new Lab(fleet, simulator, numberOf(options, 'scale')))
  } finally {
    await fleet.close()
  }
}
