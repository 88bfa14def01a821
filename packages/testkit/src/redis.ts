import { rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { Child } from './child.ts'
import { testConfig } from './config.ts'
import { freePort, onPath, tempDir } from './files.ts'

export type RedisOptions = {
  /** Where it keeps its files; absent = a temporary directory that `stop` removes. */
  dir?: string
  /** Append-only file, flushed every second. Off unless asked for. */
  appendonly?: boolean
  /** E.g. `64mb`; with `noeviction`. */
  maxmemory?: string
  args?: readonly string[]
}

export type RedisService = {
  url: string
  port: number
  readonly pid: number
  readonly running: boolean
  stop(): Promise<void>
  /** Sends a signal (SIGKILL, SIGSTOP, SIGCONT …); the end of the process is awaited where the signal means it. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Starts it again on the same port and directory, after `kill` or in place of a running one. */
  restart(): Promise<void>
}

/** Starts a redis-server from PATH on a free port of 127.0.0.1 and waits until it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisService> {
  const command = await onPath('redis-server', testConfig().path)
  if (!command) throw new Error('redis-server is not on PATH: install it (Debian: apt-get install redis-server)')
  const dir = options.dir ?? (await tempDir('redis'))
  const port = await freePort()
  const child = new Child({
    command,
    args: redisArgs(port, dir, options),
    cwd: dir,
    ready: () => answersPing(port),
    readyWithinMs: 15_000,
  })
  await child.start()
  return serviceOf(child, port, options.dir ? undefined : dir)
}

function redisArgs(port: number, dir: string, options: RedisOptions): string[] {
  const base = ['--bind', '127.0.0.1', '--port', String(port), '--dir', dir, '--save', '', '--daemonize', 'no']
  const memory = ['--maxmemory', options.maxmemory ?? '0', '--maxmemory-policy', 'noeviction']
  const file = ['--appendonly', options.appendonly ? 'yes' : 'no', '--appendfsync', 'everysec']
  return [...base, ...memory, ...file, ...(options.args ?? [])]
}

function serviceOf(child: Child, port: number, removeDir: string | undefined): RedisService {
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid
    },
    get running() {
      return child.running
    },
    kill: (signal) => child.kill(signal),
    async restart() {
      await child.stop()
      await child.start()
    },
    async stop() {
      await child.stop()
      if (removeDir) await rm(removeDir, { recursive: true, force: true })
    },
  }
}

/** Whether a Redis at this place says PONG, or asks for its password; false also while it loads its file. */
export function answersPing(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host }, () => socket.write('PING\r\n'))
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1000, () => end(false))
    socket.once('data', (data) => end(/^(\+PONG|-NOAUTH)/.test(data.toString())))
    socket.once('error', () => end(false))
  })
}
