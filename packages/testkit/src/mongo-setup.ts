import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { testConfig } from './config.ts'
import { isExecutable, onPath, REPO_ROOT } from './files.ts'

/** A MongoDB-wire server over WiredTiger (GPL-2.0, a separate test process). Its behaviour: docs/decisions. */
export const SECANTUS_VERSION = '0.7.0b3'
export type MongoSource = 'uri' | 'mongod' | 'secantus' | 'none'

const HOME = join(REPO_ROOT, '.cache', 'mongo')
const LOCK = join(REPO_ROOT, '.cache', 'mongo.lock')
const READY = join(HOME, `ready-${SECANTUS_VERSION}`)
const INSTALL_MS = 180_000
export const SECANTUS = join(HOME, 'bin', 'secantusd-py')

const run = promisify(execFile)
let setUp: Promise<MongoSource> | undefined

/**
 * Says where tests find their MongoDB (docs/design.md §13), and installs SecantusDB into `.cache/mongo/` where there is
 * no other. Safe to be called by many processes at once: one installs, the others wait.
 */
export function ensureMongo(): Promise<MongoSource> {
  setUp ??= findMongo()
  return setUp
}

/** The mongod to run: of MONGOMS_SYSTEM_BINARY, or on PATH. */
export async function mongodBinary(): Promise<string | undefined> {
  const config = testConfig()
  if (config.mongodBinary && (await isExecutable(config.mongodBinary))) return config.mongodBinary
  return onPath('mongod', config.path)
}

async function findMongo(): Promise<MongoSource> {
  if (testConfig().mongoTestUri) return 'uri'
  if (await mongodBinary()) return 'mongod'
  return (await installSecantus()) ? 'secantus' : 'none'
}

async function installSecantus(): Promise<boolean> {
  if (await exists(READY)) return true
  const deadline = Date.now() + INSTALL_MS
  await mkdir(join(REPO_ROOT, '.cache'), { recursive: true })
  while (!(await takeLock())) {
    if (Date.now() > deadline) return false
    await sleep(200)
    if (await exists(READY)) return true
  }
  try {
    return (await exists(READY)) || (await pipInstall())
  } finally {
    await rm(LOCK, { recursive: true, force: true })
  }
}

/** A virtual environment with the pinned version; where it is there already, pip only confirms it. */
async function pipInstall(): Promise<boolean> {
  try {
    if (!(await exists(join(HOME, 'bin', 'python'))))
      await run('python3', ['-m', 'venv', HOME], { timeout: INSTALL_MS })
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `SecantusDB==${SECANTUS_VERSION}`]
    await run(join(HOME, 'bin', 'python'), pip, { timeout: INSTALL_MS })
    await writeFile(READY, '')
    return true
  } catch (error) {
    process.stderr.write(`SecantusDB ${SECANTUS_VERSION} could not be installed: ${(error as Error).message}\n`)
    return false
  }
}

/** `mkdir` is atomic. A lock whose owner is gone is removed. */
async function takeLock(): Promise<boolean> {
  try {
    await mkdir(LOCK)
    await writeFile(join(LOCK, 'pid'), String(process.pid))
    return true
  } catch {
    await removeStaleLock()
    return false
  }
}

async function removeStaleLock(): Promise<void> {
  const pid = Number(await readFile(join(LOCK, 'pid'), 'utf8').catch(() => '0'))
  const made = await stat(LOCK).catch(() => undefined)
  if (!made || (pid === 0 && Date.now() - made.mtimeMs < 5000)) return
  if (pid === 0 || !isAlive(pid)) await rm(LOCK, { recursive: true, force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  )
