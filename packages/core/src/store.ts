import type { ChunkStore, TaskStore } from './store-ledger.ts'
import type { App, AppSettings, Channel, ChannelAccount, Device, Label, LabelMember, PlatformName } from './types.ts'

/**
 * The store: the record of everything (design.md §3). One method per noun and verb, lists in and lists out, no vendor
 * names. Every list may be empty; an answer list stands in the order of the question. All instants are compared with
 * the store's own clock. A store that cannot answer rejects with StoreDownError; a caller may then try again.
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
  /** Reserves `count` ids for this process and answers the first: one atomic add (design.md §11). */
  takeIds(count: number): Promise<number>
  /** Takes or renews the named lease for `holder`; true where it is held now. A lease of 0 ms gives it back. */
  lease(name: string, holder: string, leaseMs: number): Promise<boolean>
  /** The store's clock. */
  now(): Promise<Date>
  /** Deletes what has outlived its TTL (tasks and chunks 7 days, idempotency keys 24 h); at most `limit` of each. */
  purge(limit: number): Promise<number>
  close(): Promise<void>
}

export type NewApp = Omit<App, 'createdAt'>
export interface AppStore {
  /** Answers false where org/name is taken. */
  insert(app: NewApp): Promise<boolean>
  byName(org: string, name: string): Promise<App | undefined>
  byIds(ids: readonly string[]): Promise<(App | undefined)[]>
  /** Channels of a disabled app read as paused for APP_DISABLED, whatever they are paused for themselves. */
  update(id: string, change: { settings?: AppSettings; clientSecretHash?: string; disabled?: boolean }): Promise<void>
  /**
   * Raises `tokensFrom` above every `iat` that was given so far: above the store's clock, and above itself. Who issues a
   * token reads the clock, then the app, and gives it the higher of both as `iat`.
   */
  endTokens(id: string): Promise<void>
}

export type NewChannel = Omit<Channel, 'createdAt' | 'updatedAt'>
export interface ChannelStore {
  /**
   * Seals `credential` (AES-256-GCM, AAD = app and channel) and writes both; false where (app, name) is taken, 'full'
   * where the app has `most` channels.
   */
  insert(channel: NewChannel, credential: string, most?: number): Promise<boolean | 'full'>
  ofApp(appId: string): Promise<Channel[]>
  byIds(ids: readonly string[]): Promise<(Channel | undefined)[]>
  /** `pausedFor: null` resumes. Answers the channel as it stands now. */
  update(
    id: string,
    change: {
      limits?: Channel['limits']
      settings?: Channel['settings']
      pausedFor?: string | null
      credential?: string
      account?: ChannelAccount
    },
  ): Promise<Channel | undefined>
  /** Says whose limit the channel counts against. Its `updatedAt` stays: nothing changed that a pusher is opened with. */
  assign(id: string, account: ChannelAccount): Promise<void>
  /** The channels of all apps with this counting id, the oldest first. */
  ofAccount(platform: PlatformName, accountId: string): Promise<Channel[]>
  /** Keyed hash of a secret, `keyId.hash`: the same for the same secret, and no help in guessing it without the master key. */
  proofOf(secret: string): string
  /** Removes the channel and its devices. */
  remove(id: string): Promise<boolean>
  /**
   * Seals credentials anew that another key than the first sealed: those of up to `limit` channels after `after`, in order
   * of their ids. One that is changed meanwhile is left as it was changed. `failed`: no key opens them. May be repeated.
   */
  reseal(query: { after: string; limit: number }): Promise<Resealed>
  /** The opened credential; rejects with SealError where the row was tampered with or the key is another. */
  credential(id: string): Promise<string | undefined>
}

/** `next` is absent when there are no more channels. */
export type Resealed = { resealed: number; failed: string[]; next?: string }
/** Which parts of accounts an operator joined: a part is what one app has of a counting id (accounts.ts). */
export interface AccountStore {
  /** The group of each part; undefined where it stands alone. */
  joined(parts: readonly string[]): Promise<(string | undefined)[]>
  /** Puts the parts into one group, whatever they were in. */
  join(parts: readonly string[], group: string): Promise<void>
  separate(parts: readonly string[]): Promise<void>
}

export type Binding = Pick<Device, 'appId' | 'userId' | 'deviceId' | 'channelId' | 'token'> & { id: string }
export type InvalidToken = { id: string; token: string; since?: Date }
/** Ids alone: who sends reads the token when it is needed, and a page of ids is read from the index alone. */
export type DevicePage = { deviceIds: string[]; next?: string }
export interface DeviceStore {
  /**
   * Binds each; one row per (app, user, deviceId, channel), one user per (channel, token): the last binding wins.
   * `id` is used only where the row is new. Of one list's repetitions the last wins.
   */
  bind(bindings: readonly Binding[]): Promise<void>
  /** Unbinds a user's device from one channel, or from all. */
  unbind(appId: string, userId: string, deviceId: string, channelId?: string): Promise<void>
  /** Live devices of each user, in the order asked. A user with none has an empty list. */
  ofUsers(asked: readonly { appId: string; userId: string }[]): Promise<Device[][]>
  /** Which of the users exist: a user exists from the first binding or label membership (also after unbinding). */
  usersExist(asked: readonly { appId: string; userId: string }[]): Promise<boolean[]>
  byIds(ids: readonly string[]): Promise<(Device | undefined)[]>
  /** The tokens alone, for whoever sends: null where a vendor called it dead, undefined where there is no device. */
  tokens(ids: readonly string[]): Promise<(string | null | undefined)[]>
  /** Marks devices dead, each only if it still has this token and was not bound again after `since`. Answers how many. */
  markInvalid(tokens: readonly InvalidToken[]): Promise<number>
  /**
   * Live devices of one channel with `id <= upToId`, ascending by id after `after` (keyset, one index range scan).
   * `next` is the cursor of the last device of the page; absent when the range is exhausted.
   */
  page(range: { channelId: string; after: string; upToId: string; limit: number }): Promise<DevicePage>
  /**
   * The same for members of all labels (intersection), ascending by user and device; `after` '' = from the start. Only
   * the absence of `next` says that the range is exhausted: where the intersection is thin, a page may be short or empty.
   */
  labelPage(range: {
    appId: string
    channelId: string
    labels: readonly string[]
    after: string
    upToId: string
    limit: number
  }): Promise<DevicePage>
  /**
   * Splits a channel's devices up to `upToId` into at most `parts` id ranges of about equal size: their lower bounds,
   * exclusive as `after` of `page`, the first is '0'.
   */
  splitPoints(channelId: string, upToId: string, parts: number): Promise<string[]>
  count(channelId: string): Promise<number>
  /** Highest device id in use ('0' where there is none): the upper bound of a plan. */
  maxId(): Promise<string>
}

export interface LabelStore {
  /** 'exists' where the name is taken in the app, 'full' where the app has `maxLabels`. */
  insert(label: Omit<Label, 'count' | 'createdAt'>, maxLabels: number): Promise<Label | 'exists' | 'full'>
  byNames(appId: string, names: readonly string[]): Promise<(Label | undefined)[]>
  /** Newest first. */
  page(appId: string, limit: number, cursor?: string): Promise<{ labels: Label[]; cursor?: string }>
  remove(appId: string, name: string): Promise<boolean>
  addUsers(labelId: string, userIds: readonly string[]): Promise<void>
  /** Answers for each user whether it was a member. */
  removeUsers(labelId: string, userIds: readonly string[]): Promise<boolean[]>
  member(labelId: string, userId: string): Promise<LabelMember | undefined>
  members(labelId: string, limit: number, cursor?: string): Promise<{ members: LabelMember[]; cursor?: string }>
}

/** Revoked bearer tokens by their id (jti); kept until they would have expired, or until all of their app have ended. */
export interface TokenStore {
  /** False, and nothing is kept, where `of.most` of this app are kept already. */
  revoke(jti: string, expiresAt: Date, of?: { appId: string; most: number }): Promise<boolean>
  /** Those revoked since; called by every process each few seconds. */
  revokedSince(since: Date): Promise<{ jti: string; at: Date; expiresAt: Date }[]>
}
