import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from './config.ts'
import { startSimulator } from './simulator.ts'

const config = readConfig()
const ownDir = config.caFile ? undefined : await mkdtemp(join(tmpdir(), 'fanfare-simulator-'))
const caFile = config.caFile ?? join(ownDir ?? '', 'ca.pem')
const simulator = await startSimulator({ ...config, caFile }).catch((error: Error) => {
  process.stderr.write(`The simulator cannot start: ${error.message}\n`)
  process.exit(1)
})

async function end(): Promise<void> {
  await simulator.close()
  if (ownDir) await rm(ownDir, { recursive: true, force: true })
  process.exit(0)
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end())

const { url, controlUrl, smtp } = simulator
process.stdout.write(
  `${JSON.stringify({ ready: true, url, controlUrl, smtp: `${smtp.host}:${smtp.port}`, smtps: `${smtp.host}:${smtp.securePort}`, ca: caFile })}\n`,
)
