import type { AccountStore } from './accounts.ts'
import type { AppStore } from './apps.ts'
import type { ChannelStore } from './channels.ts'
import type { ChunkStore } from './chunks.ts'
import type { DeviceStore } from './devices.ts'
import type { LabelStore } from './labels.ts'
import type { TaskStore } from './tasks.ts'
import type { TokenStore } from './tokens.ts'

/**
 * The store: the record of everything (docs/design.md §3). One method per noun and verb, lists in and lists out, no
 * vendor names. Every list may be empty; an answer list stands in the order of the question. All instants are compared
 * with the store's own clock. A store that cannot answer rejects with StoreDownError; a caller may then try again.
 */
export interface Store {
  apps: AppStore
  channels: ChannelStore
  accounts: AccountStore
  devices: DeviceStore
  labels: LabelStore
  tasks: TaskStore
  chunks: ChunkStore
  tokens: TokenStore
  /** Reserves `count` ids for this process and answers the first: one atomic add (docs/design.md §11). */
  takeIds(count: number): Promise<number>
  /** Takes or renews the named lease for `holder`; true where it is held now. A lease of 0 ms gives it back. */
  lease(name: string, holder: string, leaseMs: number): Promise<boolean>
  /** The store's clock. */
  now(): Promise<Date>
  /** Deletes what has outlived its TTL (tasks and chunks 7 days, idempotency keys 24 h); at most `limit` of each. */
  purge(limit: number): Promise<number>
  close(): Promise<void>
}
