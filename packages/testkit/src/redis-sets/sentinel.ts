import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Child } from '../child.ts'
import { testConfig } from '../config.ts'
import { freePort, onPath, tempDir } from '../files.ts'
import { answersPing, type RedisService, startRedis } from '../redis.ts'
import { ask, isInStep, type Marks, type RedisSet, type RedisSetOptions, redisSet } from './set.ts'

const NAME = 'fanfare'
const REPLICAS = 2
const SENTINELS = 3
/** A master that does not answer for so long is replaced. */
const DOWN_AFTER_MS = 1500

type Sentinel = { url: string; port: number; stop(): Promise<void> }

/** Starts a master with two replicas, and three Sentinels that choose another master where it is gone. */
export async function startSentinel(options: RedisSetOptions): Promise<RedisSet> {
  const args = ['--repl-diskless-sync-delay', '0']
  const master = await startRedis({ ...options, args })
  const follow = ['--replicaof', '127.0.0.1', String(master.port)]
  const start = () => startRedis({ ...options, args: [...args, ...follow] })
  const servers = [master, ...(await Promise.all(Array.from({ length: REPLICAS }, start)))]
  const sentinels = await Promise.all(Array.from({ length: SENTINELS }, () => startOne(master)))
  const url = `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${NAME}`
  const isSettled = (marks: Marks) => allFollow(servers, sentinels, marks)
  const set = redisSet({ form: 'sentinel', url, servers, isSettled, others: sentinels })
  await set.settled()
  return set
}

async function startOne(master: RedisService): Promise<Sentinel> {
  const command = await onPath('redis-server', testConfig().path)
  const [dir, port] = await Promise.all([tempDir('sentinel'), freePort()])
  const file = join(dir, 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${dir}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${master.port} ${Math.ceil(SENTINELS / 2)}`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${NAME} 10000`,
    `sentinel parallel-syncs ${NAME} ${REPLICAS}`,
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  const child = new Child({
    command: command ?? 'redis-server',
    args: [file, '--sentinel'],
    cwd: dir,
    ready: () => answersPing(port),
    readyWithinMs: 15_000,
  })
  await child.start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    async stop() {
      await child.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Whether the Sentinels know one another and agree on a master that all others follow. */
async function allFollow(
  servers: readonly RedisService[],
  sentinels: readonly Sentinel[],
  marks: Marks,
): Promise<boolean> {
  const seen = await Promise.all(sentinels.map((sentinel) => viewOf(sentinel)))
  const [first] = seen
  if (!seen.every((view) => view.others === SENTINELS - 1 && view.replicas >= REPLICAS)) return false
  if (!seen.every((view) => view.port === first?.port)) return false
  return (await Promise.all(servers.map((server) => isInStep(server, marks)))).every(Boolean)
}

async function viewOf(sentinel: Sentinel): Promise<{ port: number; others: number; replicas: number }> {
  const [address, others, replicas] = await Promise.all([
    ask(sentinel, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME),
    ask(sentinel, 'SENTINEL', 'SENTINELS', NAME),
    ask(sentinel, 'SENTINEL', 'REPLICAS', NAME),
  ])
  const port = Number((address as string[] | null)?.[1])
  return { port, others: (others as unknown[]).length, replicas: (replicas as unknown[]).length }
}
