import type { Fault, FaultState } from './faults.ts'
import type { Counts, JournalMode, WindowQuery } from './journal/journal.ts'
import type { LatencySummary } from './journal/latency.ts'
import type { RecentFilter, RecentRequest } from './journal/recent.ts'
import type { TokenArrival, TokenCount } from './journal/vendor-log.ts'
import type { WindowCount } from './journal/windows.ts'
import type { VendorName } from './names.ts'
import type { Settings } from './settings.ts'

/** The control API of a simulator in another process; every call rejects with an Error on anything but 2xx. */
export type SimulatorClient = {
  requests(filter?: RecentFilter): Promise<RecentRequest[]>
  counts(vendor?: VendorName): Promise<Counts>
  tokens(query?: { vendor?: VendorName; duplicates?: boolean; limit?: number }): Promise<TokenCount[]>
  arrivals(vendor: VendorName, account?: string): Promise<{ timesMs: number[]; members: number[] }>
  arrivalsOf(vendor: VendorName, token: string): Promise<TokenArrival[]>
  windows(query: WindowQuery): Promise<WindowCount>
  latency(query?: { vendor?: VendorName; tag?: string }): Promise<LatencySummary>
  setMode(mode: JournalMode): Promise<JournalMode>
  /** Forgets all arrivals. */
  resetJournal(): Promise<void>
  /** Switches faults on, beside those that are on. */
  setFaults(...faults: Fault[]): Promise<FaultState[]>
  clearFaults(which?: { vendor?: VendorName | '*'; account?: string; kind?: string }): Promise<FaultState[]>
  faults(): Promise<FaultState[]>
  settings(changes?: Partial<Settings>): Promise<Settings>
  trustKey(keyId: string, publicKeyPem: string): Promise<void>
  revokeTokens(vendor?: VendorName): Promise<void>
}

type Query = Readonly<Record<string, string | number | undefined>>

/** A client of the control API. `controlUrl` is the one the simulator prints when it is ready. */
export function simulatorClient(controlUrl: string): SimulatorClient {
  const get = <T>(path: string, query: Query = {}) => call<T>(controlUrl, 'GET', path + queryText(query))
  const put = <T>(path: string, body: unknown) => call<T>(controlUrl, 'PUT', path, body)
  const remove = <T>(path: string, query: Query = {}) => call<T>(controlUrl, 'DELETE', path + queryText(query))
  return {
    requests: (filter = {}) => get('/journal', filter),
    counts: (vendor) => get('/journal/counts', { vendor }),
    tokens: ({ duplicates, ...query } = {}) =>
      get('/journal/tokens', { ...query, duplicates: duplicates ? 1 : undefined }),
    arrivals: (vendor, account) => get('/journal/arrivals', { vendor, account }),
    arrivalsOf: (vendor, token) => get('/journal/arrivals', { vendor, token }),
    windows: (query) => get('/journal/windows', query),
    latency: (query = {}) => get('/journal/latency', query),
    setMode: (mode) => put('/journal/mode', mode),
    resetJournal: () => remove('/journal'),
    setFaults: (...faults) => put('/faults', faults),
    clearFaults: (which = {}) => remove('/faults', which),
    faults: () => get('/faults'),
    settings: (changes) => (changes ? put('/settings', changes) : get('/settings')),
    trustKey: (keyId, publicKey) => put('/keys', { keyId, publicKey }),
    revokeTokens: (vendor) => remove('/tokens', { vendor }),
  }
}

async function call<T>(controlUrl: string, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(controlUrl + path, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const answer: unknown = await response.json()
  if (!response.ok) throw new Error(`simulator ${method} ${path}: ${response.status} ${JSON.stringify(answer)}`)
  return answer as T
}

function queryText(query: Query): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value))
  return search.size === 0 ? '' : `?${search}`
}
