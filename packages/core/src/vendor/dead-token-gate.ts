import { IdleMap } from '../common/idle-map.ts'
import type { Channel } from '../nouns/channel.ts'
import type { Log } from '../ports/log.ts'
import type { InvalidToken } from '../ports/store/devices.ts'
import type { Store } from '../ports/store/store.ts'

/** A token a vendor called dead. `gated`: the same answer may mean a wrong project or certificate. */
export type SuspectToken = InvalidToken & { gated?: boolean }

export type DeadTokenGateOptions = {
  store: { devices: Pick<Store['devices'], 'markInvalid'> }
  log: Log
  /** How long suspects wait for a success to vouch for the channel. */
  waitMs?: number
  /** Channels remembered before idle ones are forgotten. */
  mostChannels?: number
}

/**
 * More suspects than this without one success: it is the channel that is wrong, not the tokens (docs/vendors.md §0.4).
 */
const MOST_SUSPECTS = 20
/** A success vouches for the channel's project and certificate this long. */
const VOUCHED_MS = 60_000
const WAIT_MS = 2000

type Channels = {
  id: string
  waiting: InvalidToken[]
  vouchedAt: number
  streak: number
  judgedAt: number
  timer?: NodeJS.Timeout
}

/**
 * The one place where tokens are given up. A gated verdict counts only where the channel demonstrably works: after a
 * recent success, or where at most 20 were called dead since the last one. Otherwise nothing is deleted and an alert
 * is raised (docs/vendors.md §0.4, docs/reliability.md T58).
 */
export class DeadTokenGate {
  readonly #channels: IdleMap<Channels>
  readonly #options: DeadTokenGateOptions

  constructor(options: DeadTokenGateOptions) {
    this.#options = options
    this.#channels = new IdleMap(isIdle, options.mostChannels)
  }

  /** Takes in one batch: how many were sent, and which tokens the vendor called dead. */
  judge(channel: Pick<Channel, 'id'>, suspects: readonly SuspectToken[], sent: number): void {
    if (sent === 0 && suspects.length === 0) return
    const known = this.#of(channel.id)
    if (sent > 0) this.#vouch(known)
    const gated = suspects.filter((suspect) => suspect.gated)
    this.#mark(suspects.filter((suspect) => !suspect.gated))
    if (gated.length === 0) return
    if (Date.now() - known.vouchedAt < VOUCHED_MS) this.#mark(gated)
    else this.#hold(known, gated)
  }

  /** Decides what still waits. */
  close(): void {
    for (const known of this.#channels.values()) this.#settle(known)
  }

  #of(id: string): Channels {
    const judgedAt = Date.now()
    const known = this.#channels.get(id)
    if (known) {
      known.judgedAt = judgedAt
      return known
    }
    const fresh: Channels = { id, waiting: [], vouchedAt: Number.NEGATIVE_INFINITY, streak: 0, judgedAt }
    this.#channels.set(id, fresh)
    return fresh
  }

  #vouch(known: Channels): void {
    known.vouchedAt = Date.now()
    known.streak = 0
    if (known.waiting.length > 0) this.#release(known)
  }

  #hold(known: Channels, gated: readonly InvalidToken[]): void {
    known.streak += gated.length
    if (known.waiting.length <= MOST_SUSPECTS) known.waiting.push(...gated)
    if (known.timer) return
    known.timer = setTimeout(() => this.#settle(known), this.#options.waitMs ?? WAIT_MS)
    known.timer.unref()
  }

  #settle(known: Channels): void {
    if (known.waiting.length === 0) return
    if (known.streak <= MOST_SUSPECTS) {
      this.#release(known)
      return
    }
    const fields = { alert: 'dead-token-gate', channelId: known.id, suspects: known.streak }
    this.#options.log.error(fields, 'every token looks dead and none was reached: none is removed, check the channel')
    this.#empty(known)
  }

  #release(known: Channels): void {
    const waiting = known.waiting
    this.#empty(known)
    this.#mark(waiting)
  }

  #empty(known: Channels): void {
    clearTimeout(known.timer)
    delete known.timer
    known.waiting = []
  }

  #mark(tokens: readonly SuspectToken[]): void {
    if (tokens.length === 0) return
    const plain = tokens.map(({ id, token, since }) => ({ id, token, ...(since && { since }) }))
    this.#options.store.devices.markInvalid(plain).catch((error: unknown) => {
      this.#options.log.warn({ error: String(error), tokens: plain.length }, 'dead tokens were not marked')
    })
  }
}

/** Nothing waits to be decided, and whatever vouched for it has passed. */
const isIdle = ({ timer, waiting, judgedAt }: Channels): boolean =>
  timer === undefined && waiting.length === 0 && Date.now() - judgedAt > VOUCHED_MS
