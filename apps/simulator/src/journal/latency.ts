import { NumberColumn } from './columns.ts'

/** Percentiles of arrival − `sent@…`, in milliseconds. */
export type LatencySummary = { count: number; p50: number; p90: number; p99: number; max: number }

const MARK = 'sent@'
/** A stamp is at most `13 digits . 6 digits # 40 characters`. */
const STAMP_CHARS = 72
const STAMP = /^(\d{13}(?:\.\d+)?)(?:#([\w.-]{1,40}))?/

/** Latencies of messages that carry `sent@<epoch ms>[.fraction][#tag]`, per vendor and tag. */
export class Latencies {
  private readonly lists = new Map<string, NumberColumn>()

  /** Looks for the first mark in `text` and keeps the latency. */
  note(vendor: string, text: string, arrivedAtMs: number): void {
    const at = text.indexOf(MARK)
    if (at === -1) return
    const stamp = STAMP.exec(text.slice(at + MARK.length, at + MARK.length + STAMP_CHARS))
    if (!stamp?.[1]) return
    this.listOf(`${vendor}#${stamp[2] ?? ''}`).push(arrivedAtMs - Number(stamp[1]))
  }

  /** The latencies of a vendor (all if absent) with a tag (all if absent; '' = those without). */
  summary(vendor?: string, tag?: string): LatencySummary {
    const all: number[] = []
    for (const [key, list] of this.lists) {
      const [listVendor, listTag] = split(key)
      if ((vendor !== undefined && vendor !== listVendor) || (tag !== undefined && tag !== listTag)) continue
      for (let i = 0; i < list.length; i++) all.push(list.get(i))
    }
    return summarize(Float64Array.from(all).sort())
  }

  tags(): { vendor: string; tag: string; count: number }[] {
    return [...this.lists].map(([key, list]) => {
      const [vendor, tag] = split(key)
      return { vendor, tag, count: list.length }
    })
  }

  clear(): void {
    this.lists.clear()
  }

  private listOf(key: string): NumberColumn {
    const known = this.lists.get(key)
    if (known) return known
    const list = new NumberColumn('f64')
    this.lists.set(key, list)
    return list
  }
}

function split(key: string): [vendor: string, tag: string] {
  const at = key.indexOf('#')
  return [key.slice(0, at), key.slice(at + 1)]
}

function summarize(sorted: Float64Array): LatencySummary {
  const at = (share: number) => round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0)
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
