/**
 * Makes a fresh clone ready with nothing but Node and npm: dependencies, redis-server and (for the tests) a MongoDB.
 * Plain JavaScript, because it runs before anything is installed or built. Every step is skipped where it was done.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const MIN_NODE = [20, 19]

/** A step that cannot be done: one sentence for the user, exit code 1. */
export class SetUpError extends Error {}

/** Runs `steps` and turns a SetUpError into its sentence and exit code 1. */
export async function main(steps) {
  try {
    await steps()
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return
  throw new SetUpError(`Fanfare needs Node ${MIN_NODE.join('.')} or newer, this is ${process.versions.node}.`)
}

export function installDependencies() {
  const done = join(ROOT, 'node_modules/.package-lock.json')
  const lock = join(ROOT, 'package-lock.json')
  if (existsSync(done) && statSync(done).mtimeMs >= statSync(lock).mtimeMs) return
  console.error('Installing the dependencies (npm ci) …')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci failed: see above.')
}

export function build() {
  run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b'], 'The build (tsc -b) failed: see above.')
}

/** Finds redis-server on PATH, or installs Debian's where this is root on a machine with apt. */
export function provideRedis() {
  if (works('redis-server', ['--version'])) return
  const need =
    'Fanfare needs redis-server on PATH: install Redis 6.2 or newer (Debian: apt-get install redis-server; macOS: brew install redis).'
  if (process.getuid?.() !== 0 || !works('apt-get', ['--version'])) throw new SetUpError(need)
  console.error('Installing redis-server from Debian …')
  // Its own service is not wanted: Fanfare starts a Redis of its own on a free port.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const apt = (...args) =>
    spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0
  if (!apt('install', '-y', 'redis-server') && !(apt('update') && apt('install', '-y', 'redis-server')))
    throw new SetUpError(need)
}

/** Runs a command in the repository with its output shown on stderr. */
export function run(command, args, failure) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', process.stderr, 'inherit'] })
  if (status !== 0) throw new SetUpError(error ? `${failure} (${error.message})` : failure)
}

function works(command, args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
