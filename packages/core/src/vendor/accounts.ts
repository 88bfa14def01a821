import type { Channel, ChannelAccount, PlatformName } from '../nouns/channel.ts'
import type { Limiter } from '../ports/limiter.ts'
import type { Store } from '../ports/store/store.ts'
import { accountKey, ownAccountKey } from './account-key.ts'

/** What a credential says of itself (packages/platforms): the counting id, and the secret that proves it. */
export type Identity = { id: string; secret: string }

export type AccountsOptions = {
  store: Pick<Store, 'channels' | 'accounts'>
  limiter: Pick<Limiter, 'carry'>
  identify(channel: Pick<Channel, 'platform' | 'name' | 'settings'>, credential: string): Identity
}

/** A second writer may have changed what the first one read: then it is looked at again. */
const MOST_ROUNDS = 5

/**
 * Decides which channels count against one account (docs/decisions: an account is what was proven). Of one counting id,
 * the channels of one app are one account; apps that hold the same credential share theirs; and so do apps that an
 * operator joined. Nothing that another tenant writes brings it into an account.
 */
export class Accounts {
  readonly #options: AccountsOptions

  constructor(options: AccountsOptions) {
    this.#options = options
  }

  /** The account of a channel as its app has it alone; `settle` finds out who shares it. */
  own(channel: Pick<Channel, 'appId' | 'platform' | 'name' | 'settings'>, credential: string): ChannelAccount {
    const { id, secret } = this.#options.identify(channel, credential)
    const proof = this.#options.store.channels.proofOf(JSON.stringify([channel.platform, id, secret]))
    return { id, proof, key: ownAccountKey(channel.appId, channel.platform, id) }
  }

  /** The account of a channel that is about to be changed to `next`; it goes on with what the channel has used. */
  async changed(channel: Channel, next: Pick<Channel, 'settings'>, credential: string): Promise<ChannelAccount> {
    const own = this.own({ ...channel, ...next }, credential)
    if (channel.account?.id === own.id) return { ...own, key: channel.account.key }
    const before = accountKey(channel)
    if (before !== own.key) {
      await this.#options.limiter.carry(before, own.key, !(await this.#hasOthers(channel, before)))
    }
    return own
  }

  async #hasOthers({ id, appId, platform, account }: Channel, key: string): Promise<boolean> {
    const { channels } = this.#options.store
    const near = account ? await channels.ofAccount(platform, account.id) : await channels.ofApp(appId)
    return near.some((channel) => channel.id !== id && accountKey(channel) === key)
  }

  /**
   * When a channel is opened: one of the first version learns its account, and what another process could not end, because
   * Redis or the store went away, is ended.
   */
  async prove(channel: Channel, credential: string): Promise<void> {
    const account = await this.changed(channel, channel, credential)
    const isKnown = channel.account?.id === account.id && channel.account.proof === account.proof
    if (!isKnown) await this.#options.store.channels.assign(channel.id, account)
    await this.settle(channel.platform, account.id)
  }

  /**
   * Brings all channels with this counting id to the accounts they belong to. What was used and the back-off are carried
   * along before, so that no window at the vendor holds more than the limit because of the change.
   */
  async settle(platform: PlatformName, id: string): Promise<void> {
    const { channels } = this.#options.store
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const found = await this.#proven(await channels.ofAccount(platform, id))
      const keys = keysOf(found, await this.#joined(found))
      const moving = found.filter((channel) => keys.get(channel.id) !== channel.account.key)
      if (moving.length === 0) return
      const kept = new Set(found.filter((channel) => !moving.includes(channel)).map(({ account }) => account.key))
      for (const [from, to] of pairsOf(moving, keys)) await this.#options.limiter.carry(from, to, !kept.has(from))
      for (const channel of moving) {
        await channels.assign(channel.id, { ...channel.account, key: keys.get(channel.id) ?? '' })
      }
    }
  }

  async #joined(channels: readonly Proven[]): Promise<ReadonlyMap<string, string>> {
    const parts = [...new Set(channels.map(partOf))]
    const groups = await this.#options.store.accounts.joined(parts)
    return new Map(parts.flatMap((part, index) => (groups[index] === undefined ? [] : [[part, groups[index]]])))
  }

  /** All accounts with this counting id: each with its parts, an app's channels each. */
  async list(platform: PlatformName, id: string): Promise<AccountView[]> {
    const found = await this.#proven(await this.#options.store.channels.ofAccount(platform, id))
    const joined = await this.#joined(found)
    const views = new Map<string, AccountView>()
    for (const channel of found) {
      const { key } = channel.account
      const view = views.get(key) ?? { key, platform, id, parts: [] }
      views.set(key, view)
      const name = partOf(channel)
      const part = view.parts.find((one) => one.key === name)
      if (part) part.channels.push(channel)
      else view.parts.push({ key: name, appId: channel.appId, joined: joined.has(name), channels: [channel] })
    }
    return [...views.values()]
  }

  /** Makes one account of the parts, whatever credentials they hold. */
  async join(platform: PlatformName, id: string, parts: readonly string[]): Promise<void> {
    await this.#options.store.accounts.join(parts, [...parts].sort()[0] ?? '')
    await this.settle(platform, id)
  }

  /** Takes the parts out of what an operator joined them to; the same credential still makes them one. */
  async separate(platform: PlatformName, id: string, parts: readonly string[]): Promise<void> {
    await this.#options.store.accounts.separate(parts)
    await this.settle(platform, id)
  }

  /** With proofs of one master key: those of an older one could not be compared. */
  async #proven(found: readonly Channel[]): Promise<Proven[]> {
    const { channels } = this.#options.store
    const current = keyIdOf(channels.proofOf(''))
    const proven = found.filter((channel): channel is Proven => channel.account !== undefined)
    for (const [index, channel] of proven.entries()) {
      if (keyIdOf(channel.account.proof) === current) continue
      const credential = await channels.credential(channel.id).catch(() => undefined)
      if (credential === undefined) continue
      const account = { ...channel.account, proof: this.own(channel, credential).proof }
      await channels.assign(channel.id, account)
      proven[index] = { ...channel, account }
    }
    return proven
  }
}

/** An account as an operator sees it; a part is what one app has of the counting id, and what can be joined. */
export type AccountView = {
  key: string
  platform: PlatformName
  id: string
  parts: { key: string; appId: string; joined: boolean; channels: Channel[] }[]
}

type Proven = Channel & { account: ChannelAccount }

const partOf = ({ appId, platform, account }: Proven): string => ownAccountKey(appId, platform, account.id)

const keyIdOf = (proof: string): string => proof.slice(0, proof.indexOf('.'))

/** The account of each channel, of channels with one counting id; it has the name of its oldest app's part. */
function keysOf(channels: readonly Proven[], joined: ReadonlyMap<string, string>): Map<string, string> {
  const heads = new Map<string, string>()
  const head = (node: string): string => {
    const next = heads.get(node)
    return next === undefined ? node : head(next)
  }
  const unite = (one: string, other: string) => {
    const [first, second] = [head(one), head(other)]
    if (first !== second) heads.set(second, first)
  }
  const oldest = [...channels].sort((one, other) => Number(one.appId) - Number(other.appId))
  for (const channel of oldest) {
    const app = `app ${channel.appId}`
    unite(app, `proof ${channel.account.proof}`)
    const group = joined.get(partOf(channel))
    if (group !== undefined) unite(app, `group ${group}`)
  }
  const names = new Map<string, string>()
  for (const channel of oldest) {
    const account = head(`app ${channel.appId}`)
    if (!names.has(account)) names.set(account, partOf(channel))
  }
  return new Map(channels.map((channel) => [channel.id, names.get(head(`app ${channel.appId}`)) ?? '']))
}

/** Each way from one account to another, once. */
function pairsOf(moving: readonly Proven[], keys: ReadonlyMap<string, string>): (readonly [string, string])[] {
  const pairs = moving.map(({ id, account }) => [account.key, keys.get(id) ?? ''] as const)
  return [...new Map(pairs.map((pair) => [pair.join(), pair])).values()]
}
