import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Chunk, isFinal, type Store } from '@fanfare/core'
import { mastersOf } from '@fanfare/redis'
import { okToken } from '@fanfare/testkit'
import type { Setup } from './setup.ts'

const PAGE = 200
/** Every device token of a scenario holds this text: it must stand in no log. */
const CANARY = okToken(0).slice(-40)
/** BullMQ's keys of jobs that are not finished. */
const OPEN_JOBS = /:(wait|active|prioritized|delayed|waiting-children|paused)$/

/** The invariants of docs/reliability.md §3.6 that a drained fleet must show; answers a sentence per broken one. */
export async function brokenInvariants(setup: Setup, taskIds: readonly string[]): Promise<string[]> {
  const found = await Promise.all([
    ledgerFaults(setup, taskIds),
    openJobs(setup),
    deadDevices(setup),
    Promise.resolve(leakedTokens(setup)),
  ])
  return found.flat()
}

/** (1) to (3): each user in exactly one chunk, no row that is not final, as many outcomes as members. */
async function ledgerFaults(setup: Setup, taskIds: readonly string[]): Promise<string[]> {
  const store = await setup.fleet.openStore()
  const seen = new Map<string, number>()
  const faults: string[] = []
  for (const taskId of taskIds) {
    for await (const chunk of chunksOf(store, taskId)) {
      if (chunk.outcomes.length !== chunk.members.length)
        faults.push(`chunk ${taskId}.${chunk.seq}: outcomes ≠ members`)
      if (chunk.state !== 'done' && chunk.state !== 'dead')
        faults.push(`chunk ${taskId}.${chunk.seq} is ${chunk.state}`)
      if (!chunk.outcomes.every(isFinal)) faults.push(`chunk ${taskId}.${chunk.seq} has open members`)
      for (const { deviceId } of chunk.members) if (deviceId) seen.set(deviceId, (seen.get(deviceId) ?? 0) + 1)
    }
  }
  const twice = [...seen.values()].filter((times) => times > 1).length
  return twice > 0 ? [...faults, `${twice} devices stand in two chunks`] : faults
}

async function* chunksOf(store: Store, taskId: string): AsyncGenerator<Chunk> {
  for (let afterSeq = -1; ; ) {
    const page = await store.chunks.ofTask(taskId, { afterSeq, limit: PAGE })
    yield* page
    const last = page.at(-1)
    if (!last || page.length < PAGE) return
    afterSeq = last.seq
  }
}

/** (5) nothing waits in Redis. */
async function openJobs(setup: Setup): Promise<string[]> {
  const { client } = setup.fleet.redis
  const faults: string[] = []
  const keys = (await Promise.all(mastersOf(client).map((master) => master.keys('*')))).flat()
  for (const key of keys.filter((each) => OPEN_JOBS.test(each))) {
    const size = (await client.type(key)) === 'list' ? await client.llen(key) : await client.zcard(key)
    if (size > 0) faults.push(`${size} jobs left in ${key}`)
  }
  return faults
}

/** (6) the simulator accepts every token here, so none may have been marked dead. */
async function deadDevices(setup: Setup): Promise<string[]> {
  const store = await setup.fleet.openStore()
  const channels = await store.channels.ofApp(await setup.app.appId())
  const live = await Promise.all(channels.map((channel) => store.devices.count(channel.id)))
  const sum = live.reduce((total, count) => total + count, 0)
  return sum < setup.count ? [`${setup.count - sum} live devices were marked dead`] : []
}

/** (7) no token and no credential in any log. */
function leakedTokens(setup: Setup): string[] {
  const dir = join(setup.fleet.dir, 'log')
  const logs = readdirSync(dir).map((name) => ({ name, text: readFileSync(join(dir, name), 'utf8') }))
  return logs
    .filter(({ text }) => text.includes(CANARY) || text.includes('PRIVATE KEY'))
    .map(({ name }) => `${name} holds a secret`)
}
