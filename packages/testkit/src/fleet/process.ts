import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { onPath } from '../files.ts'
import { inheritedEnvironment } from './config.ts'

/** What a service prints on its first line of stdout (process contract): ready, and where it listens. */
export type ReadyLine = { ready: true; url?: string } & Record<string, unknown>

export type ProcessOptions = {
  /** Shown in errors and part of the log file's name. */
  name: string
  script: string
  args?: readonly string[]
  nodeArgs?: readonly string[]
  /** Added to the few variables every process gets (PATH, HOME, TMPDIR). */
  env?: Readonly<Record<string, string>>
  /** Takes the process's stderr. */
  logFile: string
  readyWithinMs?: number
  /** What the process sends over its IPC channel; without it there is none. */
  onMessage?: (message: unknown) => void
}

export type Exit = { code: number | null; signal: NodeJS.Signals | null }

/** One child process of a fleet: it has printed its ready line, and can be killed, stopped and waited for. */
export class FleetProcess {
  readonly name: string
  readonly pid: number
  readonly ready: ReadyLine
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess

  private constructor(name: string, child: ChildProcess, ready: ReadyLine, exited: Promise<Exit>) {
    this.name = name
    this.#child = child
    this.pid = child.pid as number
    this.ready = ready
    this.exited = exited
  }

  /** Rejects with the end of the log where the process ends or stays silent instead of becoming ready. */
  static async start(options: ProcessOptions): Promise<FleetProcess> {
    const child = await launch(options)
    const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
    if (options.onMessage) child.on('message', options.onMessage)
    try {
      const ready = await readyLine(child, exited, options)
      return new FleetProcess(options.name, child, ready, exited)
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }

  /** The address it listens on; throws where it has none. */
  get url(): string {
    if (this.ready.url === undefined) throw new Error(`${this.name} has no address`)
    return this.ready.url
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  send(message: object): void {
    if (this.#child.connected) this.#child.send(message)
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<void> {
    if (this.running) this.#child.kill('SIGKILL')
    await this.exited
  }

  /** SIGTERM, and waits for the end; after `withinMs` SIGKILL. Answers the exit code, null after a signal. */
  async stop(withinMs = 25_000): Promise<number | null> {
    if (this.running) this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), withinMs)
    const { code } = await this.exited
    clearTimeout(timer)
    return code
  }
}

async function launch(options: ProcessOptions): Promise<ChildProcess> {
  const environment = inheritedEnvironment()
  const setpriv = await onPath('setpriv', environment['PATH'] ?? '')
  const node = [process.execPath, ...(options.nodeArgs ?? []), options.script, ...(options.args ?? [])]
  // Where the scenario itself is killed, its processes must not outlive it.
  const [command = '', ...args] = setpriv ? [setpriv, '--pdeathsig', 'KILL', ...node] : node
  const log = openSync(options.logFile, 'a')
  const child = spawn(command, args, {
    env: { ...environment, ...options.env },
    stdio: ['ignore', 'pipe', log, ...(options.onMessage ? (['ipc'] as const) : [])],
  })
  closeSync(log)
  return child
}

function readyLine(child: ChildProcess, exited: Promise<Exit>, options: ProcessOptions): Promise<ReadyLine> {
  const lines = createInterface({ input: child.stdout as Readable })
  const withinMs = options.readyWithinMs ?? 20_000
  return new Promise((resolve, reject) => {
    let settled = false
    const settle = (end: () => void) => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      end()
    }
    const fail = (why: string) => settle(() => reject(new Error(`${options.name} ${why}\n${logTail(options.logFile)}`)))
    const timer = setTimeout(() => fail(`was not ready within ${withinMs} ms`), withinMs)
    void exited.then(({ code, signal }) => fail(`ended before it was ready (${signal ?? code})`))
    child.once('error', (error) => fail(error.message))
    lines.on('line', (line) => {
      const ready = parseReady(line)
      if (ready) settle(() => resolve(ready))
    })
  })
}

function parseReady(line: string): ReadyLine | undefined {
  if (!line.startsWith('{')) return undefined
  const value = JSON.parse(line) as Partial<ReadyLine>
  return value.ready === true ? (value as ReadyLine) : undefined
}

/** The last words of a process; its directory may be gone where it ended after the fleet was closed. */
function logTail(file: string): string {
  if (!existsSync(file)) return ''
  return readFileSync(file, 'utf8').split('\n').slice(-15).join('\n')
}
