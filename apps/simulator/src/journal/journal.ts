import type { VendorName } from '../names.ts'
import { VENDORS } from '../names.ts'
import type { LatencySummary } from './latency.ts'
import { Latencies } from './latency.ts'
import type { RecentFilter, RecentRequest } from './recent.ts'
import { RecentRequests } from './recent.ts'
import type { TokenArrival, TokenCount, VendorCounts } from './vendor-log.ts'
import { addCounts, NO_COUNTS, VendorLog } from './vendor-log.ts'
import type { WindowCount } from './windows.ts'
import { countWindows } from './windows.ts'

export type Counts = VendorCounts & {
  byVendor: Partial<Record<VendorName, VendorCounts>>
  /** Calls of the token endpoints (`fcm`, `huawei`, `wecom`). */
  tokenCalls: Partial<Record<VendorName, number>>
}

/** What the journal keeps; less is cheaper for a load test. */
export type JournalMode = { bodies: boolean }
export type WindowQuery = { vendor: VendorName; account?: string; limit: number; windowMs: number; unit?: Unit }
/** What one arrival counts as: `token` = its members, `request` = 1. */
export type Unit = 'token' | 'request'

/** Remembers every arrival in columns (about 20 bytes each beside the token) and the last requests in full. */
export class Journal {
  readonly mode: JournalMode = { bodies: true }
  private readonly logs = new Map<VendorName, VendorLog>()
  private readonly latencies = new Latencies()
  private readonly recent = new RecentRequests()
  private tokenCalls: Partial<Record<VendorName, number>> = {}
  private requestId = 0

  /** The log of a vendor; adapters write their arrivals straight into it. */
  logOf(vendor: VendorName): VendorLog {
    const known = this.logs.get(vendor)
    if (known) return known
    const log = new VendorLog()
    this.logs.set(vendor, log)
    return log
  }

  /** Keeps the latency of a message whose text carries `sent@…`. */
  noteLatency(vendor: VendorName, text: string, arrivedAtMs: number): void {
    this.latencies.note(vendor, text, arrivedAtMs)
  }

  /** Keeps a request in full, unless bodies are switched off. */
  keep(request: Omit<RecentRequest, 'id'>): RecentRequest | undefined {
    if (!this.mode.bodies) return undefined
    const kept = { id: ++this.requestId, ...request }
    this.recent.add(kept)
    return kept
  }

  countTokenCall(vendor: VendorName): void {
    this.tokenCalls[vendor] = (this.tokenCalls[vendor] ?? 0) + 1
  }

  /** The last requests with headers and bodies, secrets redacted, oldest first. */
  requests(filter: RecentFilter = {}): RecentRequest[] {
    return this.recent.find(filter)
  }

  counts(vendor?: VendorName): Counts {
    const byVendor: Counts['byVendor'] = {}
    for (const name of vendor ? [vendor] : VENDORS) {
      const log = this.logs.get(name)
      if (log) byVendor[name] = log.counts()
    }
    const total = Object.values(byVendor).reduce(addCounts, NO_COUNTS)
    return { ...total, byVendor, tokenCalls: { ...this.tokenCalls } }
  }

  /** Tokens with the number of messages they took; only those that took one twice with `duplicates`. */
  tokens(query: { vendor?: VendorName; duplicates?: boolean; limit?: number } = {}): TokenCount[] {
    const limit = query.limit ?? Number.POSITIVE_INFINITY
    const found: TokenCount[] = []
    for (const [vendor, log] of this.logs) {
      if (query.vendor && query.vendor !== vendor) continue
      for (const count of log.tokens(query.duplicates ?? false)) {
        if (found.length >= limit) return found
        found.push({ vendor, ...count })
      }
    }
    return found
  }

  /** Every arrival of one token. */
  arrivalsOf(vendor: VendorName, token: string): TokenArrival[] {
    return this.logs.get(vendor)?.arrivalsOf(token) ?? []
  }

  /** When requests came and how many members each had, in order of arrival. */
  arrivals(vendor: VendorName, account?: string): { timesMs: number[]; members: number[] } {
    return this.logs.get(vendor)?.arrivals(account) ?? { timesMs: [], members: [] }
  }

  windows({ vendor, account, limit, windowMs, unit = 'token' }: WindowQuery): WindowCount {
    const { timesMs, members } = this.arrivals(vendor, account)
    const weights = unit === 'request' ? members.map(() => 1) : members
    return countWindows(timesMs, weights, limit, windowMs)
  }

  latency(query: { vendor?: VendorName; tag?: string } = {}): LatencySummary {
    return this.latencies.summary(query.vendor, query.tag)
  }

  latencyTags(): { vendor: string; tag: string; count: number }[] {
    return this.latencies.tags()
  }

  /** Forgets everything. */
  reset(): void {
    this.logs.clear()
    this.latencies.clear()
    this.recent.clear()
    this.tokenCalls = {}
  }
}
