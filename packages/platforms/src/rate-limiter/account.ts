import type { Channel, ChannelLimits } from '@fanfare/core'

/** A vendor account as one channel asks for it. */
export type Account = {
  key: string
  channelId: string
  /** Of account and channel; who moved to another account is another asker. */
  asker: string
  limits: ChannelLimits
  /** When the channel was changed last: of two askers with different limits the later change holds. */
  version: number
}

/** Names the account of a channel. */
export type KeyOf = (channel: Channel) => string

/** The accounts of channels, found out once per copy of a channel: every ask needs one. */
export class AccountsOfChannels {
  readonly #known = new WeakMap<Channel, Account>()
  readonly #keyOf: KeyOf

  constructor(keyOf: KeyOf) {
    this.#keyOf = keyOf
  }

  of(channel: Channel): Account {
    const known = this.#known.get(channel)
    if (known) return known
    const key = this.#keyOf(channel)
    const account = {
      key,
      channelId: channel.id,
      asker: `${key} ${channel.id}`,
      limits: wholeLimits(channel.limits),
      version: channel.updatedAt.getTime(),
    }
    this.#known.set(channel, account)
    return account
  }
}

/** Less than one unit per window is one unit per longer window: 0.2 per second is one per five seconds. */
function wholeLimits(limits: ChannelLimits): ChannelLimits {
  const { rate, perMs } = limits
  return rate > 0 && rate < 1 ? { ...limits, rate: 1, perMs: Math.ceil(perMs / rate) } : limits
}
