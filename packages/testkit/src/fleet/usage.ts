import { readFileSync } from 'node:fs'

/** The kernel's clock tick in CPU accounting: 100 per second on Linux. */
const TICKS_PER_SEC = 100
const SAMPLE_MS = 200

type Sample = { cpuSec: number; rssMb: number }

/** Reads CPU time and resident memory of processes from /proc, also of such that are killed meanwhile. Linux only. */
export class Usage {
  readonly #pids: () => readonly number[]
  readonly #cpu = new Map<number, { first: number; last: number }>()
  readonly #timer: NodeJS.Timeout
  #measuring = false
  #rssMbPeak = 0
  #rssMbNow = 0

  /** `pids` is asked at each sample, so that restarted processes are seen. */
  constructor(pids: () => readonly number[]) {
    this.#pids = pids
    this.#sample()
    this.#measuring = true
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS)
  }

  /** The largest process, at its largest. */
  get rssMbPeak(): number {
    return this.#rssMbPeak
  }

  /** The largest process now. */
  rssMb(): number {
    this.#sample()
    return this.#rssMbNow
  }

  /** CPU seconds (user and system) of all processes since the start, the ended ones included. */
  cpuSec(): number {
    this.#sample()
    return [...this.#cpu.values()].reduce((sum, { first, last }) => sum + last - first, 0)
  }

  stop(): void {
    this.#sample()
    clearInterval(this.#timer)
  }

  #sample(): void {
    this.#rssMbNow = 0
    for (const pid of this.#pids()) {
      const sample = readSample(pid)
      if (sample) this.#note(pid, sample)
    }
    this.#rssMbPeak = Math.max(this.#rssMbPeak, this.#rssMbNow)
  }

  #note(pid: number, sample: Sample): void {
    const known = this.#cpu.get(pid)
    if (known) known.last = sample.cpuSec
    // A process that appears while measuring was started meanwhile: all its CPU time belongs to the measurement.
    else this.#cpu.set(pid, { first: this.#measuring ? 0 : sample.cpuSec, last: sample.cpuSec })
    this.#rssMbNow = Math.max(this.#rssMbNow, sample.rssMb)
  }
}

/** undefined where the process is gone. */
export function readSample(pid: number): Sample | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = Number(fields[11]) + Number(fields[12])
    const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return { cpuSec: ticks / TICKS_PER_SEC, rssMb: Number(rss?.[1] ?? 0) / 1024 }
  } catch {
    return undefined
  }
}
