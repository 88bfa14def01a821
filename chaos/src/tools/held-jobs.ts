import type { Fleet, FleetProcess } from '@fanfare/testkit'
import { CHANNELS } from './setup.ts'

/** Deletes from Redis what a killed worker held: its places in the active lists, its locks, its jobs. Answers how many. */
export async function loseJobsOf(fleet: Fleet, worker: FleetProcess): Promise<number> {
  const lost = await Promise.all(CHANNELS.map((platform) => loseIn(fleet, platform, `worker-${worker.pid}-`)))
  return lost.reduce((sum, count) => sum + count, 0)
}

async function loseIn({ redis: { client } }: Fleet, platform: string, holder: string): Promise<number> {
  const queue = `{fanfare:${platform}}:${platform}`
  const active = await client.lrange(`${queue}:active`, 0, -1)
  const holders = await Promise.all(active.map((id) => client.hget(`${queue}:${id}`, 'pb')))
  const held = active.filter((_, index) => holders[index]?.startsWith(holder))
  const loss = client.multi()
  for (const id of held) loss.lrem(`${queue}:active`, 0, id).del(`${queue}:${id}`, `${queue}:${id}:lock`)
  await loss.exec()
  return held.length
}
