import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { testConfig } from './config.ts'
import { onPath } from './files.ts'

export type ChildOptions = {
  command: string
  args: readonly string[]
  cwd: string
  /** True once the server answers; asked every 25 ms. */
  ready: () => Promise<boolean>
  readyWithinMs: number
}

const running = new Set<ChildProcess>()
let exitHook = false

/** One server process of a test. It dies with its parent: by `setpriv --pdeathsig` where there is one, else at exit. */
export class Child {
  #process: ChildProcess | undefined
  #output = ''
  readonly #options: ChildOptions

  constructor(options: ChildOptions) {
    this.#options = options
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  get running(): boolean {
    const child = this.#process
    return child !== undefined && child.exitCode === null && child.signalCode === null
  }

  /** Starts the process and waits until it answers; rejects with its last words where it does not. */
  async start(): Promise<void> {
    const child = await this.#spawn()
    const deadline = Date.now() + this.#options.readyWithinMs
    while (!(await this.#options.ready())) {
      const gone = child.exitCode !== null || child.signalCode !== null || child.pid === undefined
      if (gone || Date.now() > deadline) {
        await this.kill('SIGKILL')
        throw new Error(`${this.#options.command} did not start: ${this.#output.slice(-600).trim()}`)
      }
      await sleep(25)
    }
  }

  /** Sends a signal; of those that end the process the end is awaited. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await ended
  }

  /** Asks the process to end and makes it after `withinMs`. */
  async stop(withinMs = 3000): Promise<void> {
    const timer = setTimeout(() => void this.kill('SIGKILL'), withinMs)
    this.#process?.kill('SIGCONT')
    await this.kill('SIGTERM')
    clearTimeout(timer)
  }

  async #spawn(): Promise<ChildProcess> {
    const setpriv = await onPath('setpriv', testConfig().path)
    const { command, args, cwd } = this.#options
    const child = setpriv
      ? spawn(setpriv, ['--pdeathsig', 'KILL', command, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
      : spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    this.#output = ''
    child.on('error', (error) => {
      this.#output += error.message
    })
    for (const stream of [child.stdout, child.stderr]) this.#listen(stream)
    track(child)
    return child
  }

  #listen(stream: NodeJS.ReadableStream): void {
    stream.on('data', (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-4000)
    })
  }
}

function track(child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
  if (exitHook) return
  exitHook = true
  process.once('exit', () => {
    for (const each of running) each.kill('SIGKILL')
  })
}
