import { freePort } from '../files.ts'
import { type RedisService, startRedis } from '../redis.ts'
import { ask, isInStep, type Marks, type RedisSet, type RedisSetOptions, redisSet, until } from './set.ts'

const MASTERS = 3
const SLOTS = 16_384
/** A master that does not answer for so long is replaced. */
const NODE_TIMEOUT_MS = 2000

type Node = RedisService & { busPort: number }

/** Starts three masters that share the slots, and a replica of each. */
export async function startCluster(options: RedisSetOptions): Promise<RedisSet> {
  const nodes = await Promise.all(Array.from({ length: 2 * MASTERS }, () => startNode(options)))
  await assemble(nodes)
  const url = `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  const isSettled = async (marks: Marks) =>
    (await Promise.all(nodes.map((node) => knowsAll(node, marks)))).every(Boolean)
  const cluster = redisSet({ form: 'cluster', url, servers: nodes, isSettled })
  await cluster.settled()
  return cluster
}

async function startNode({ appendonly = false }: RedisSetOptions): Promise<Node> {
  const busPort = await freePort()
  const args = [
    ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
    ...['--cluster-node-timeout', String(NODE_TIMEOUT_MS), '--repl-diskless-sync-delay', '0'],
    // Only who has heard from its master counts as a replica to fall back on.
    ...['--repl-ping-replica-period', '1'],
  ]
  return Object.assign(await startRedis({ appendonly, args }), { busPort })
}

async function assemble(nodes: readonly Node[]): Promise<void> {
  const [first, ...others] = nodes as [Node, ...Node[]]
  const masters = nodes.slice(0, MASTERS)
  await Promise.all(
    masters.map(async (master, index) => {
      const range = [index, index + 1].map((part) => Math.floor((part * SLOTS) / MASTERS))
      await ask(master, 'CLUSTER', 'ADDSLOTSRANGE', String(range[0]), String(Number(range[1]) - 1))
      await ask(master, 'CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
    }),
  )
  for (const { port, busPort } of others) {
    await ask(first, 'CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort))
  }
  await until('every node knows every other', async () => {
    const infos = await Promise.all(nodes.map((node) => ask(node, 'CLUSTER', 'INFO')))
    return infos.every((info) => String(info).includes(`cluster_known_nodes:${nodes.length}`))
  })
  await Promise.all(
    masters.map(async (master, index) => {
      const id = String(await ask(master, 'CLUSTER', 'MYID'))
      await ask(nodes[MASTERS + index] as Node, 'CLUSTER', 'REPLICATE', id)
    }),
  )
}

/** Whether this node serves, follows where it is a replica, and sees each range with its replica. */
async function knowsAll(node: Node, marks: Marks): Promise<boolean> {
  const info = String(await ask(node, 'CLUSTER', 'INFO'))
  if (!info.includes('cluster_state:ok')) return false
  const ranges = (await ask(node, 'CLUSTER', 'SLOTS')) as unknown[][]
  if (!ranges.every((range) => range.length >= 4)) return false
  return isInStep(node, marks)
}
