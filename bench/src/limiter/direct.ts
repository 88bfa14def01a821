import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { simulatorClient } from '@fanfare/simulator'
import { FleetProcess, REPO_ROOT, type RedisService, startRedis } from '@fanfare/testkit'
import type { Subject } from './subject.ts'

export type DirectOrder = { redisUrl: string; vendorUrl: string; caFile: string; singles: boolean }

/**
 * Limiter and pushers alone: worker processes that take permits and push, without API, queue and ledger. Shows what the
 * limiter can do before the rest has a say.
 */
export async function startDirect(workers: number): Promise<Subject> {
  const dir = mkdtempSync(join(tmpdir(), 'fanfare-limiter-'))
  const redis = await startRedis()
  const simulator = await FleetProcess.start({
    name: 'simulator',
    script: join(REPO_ROOT, 'apps', 'simulator', 'dist', 'main.js'),
    env: { PORT: '0', HOST: '127.0.0.1' },
    logFile: join(dir, 'simulator.log'),
  })
  const client = simulatorClient(String(simulator.ready['controlUrl']))
  await client.setMode({ bodies: false })
  const started = { redisUrl: redis.url, vendorUrl: simulator.url, caFile: String(simulator.ready['ca']) }
  const processes = await Promise.all(
    Array.from({ length: workers }, (_, index) => startWorker(dir, index, { ...started, singles: index === 0 })),
  )
  return {
    simulator: client,
    async setRate(platform, rate) {
      for (const process of processes) process.send({ platform, rate })
    },
    close: () => closeAll([...processes, simulator], redis, dir),
  }
}

function startWorker(dir: string, index: number, order: DirectOrder): Promise<FleetProcess> {
  return FleetProcess.start({
    name: `limiter-worker-${index}`,
    script: fileURLToPath(new URL('./direct.entry.js', import.meta.url)),
    args: [JSON.stringify(order)],
    logFile: join(dir, `worker-${index}.log`),
    readyWithinMs: 60_000,
    onMessage: () => undefined,
  })
}

async function closeAll(processes: readonly FleetProcess[], redis: RedisService, dir: string): Promise<void> {
  await Promise.all(processes.map((process) => process.stop(5000)))
  await redis.stop()
  rmSync(dir, { recursive: true, force: true })
}
