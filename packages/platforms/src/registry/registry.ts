import {
  BusyError,
  type Channel,
  ChannelError,
  IdleMap,
  type Log,
  type PlatformName,
  type Pusher,
  type Pushers,
  SealError,
  type Store,
  StoreDownError,
} from '@fanfare/core'
import type { Connection } from '@fanfare/redis'
import { lockedOf } from '../credentials/locked.ts'
import { hasKey } from '../credentials/proof.ts'
import { openProver, type Prover } from '../credentials/prover.ts'
import { type AddressGuard, openAddressGuard } from '../guard/guard.ts'
import { openHttp } from '../http/http.ts'
import { Http2Pool } from '../http/http2/pool.ts'
import type { OpenContext, OpenPusher } from '../pushing/opener.ts'
import type { Verdicts } from '../pushing/verdict.ts'
import { openApns } from '../vendors/apns/index.ts'
import { APNS_VERDICTS } from '../vendors/apns/verdicts.ts'
import { openEmail } from '../vendors/email/index.ts'
import type { MailTimes } from '../vendors/email/times.ts'
import { EMAIL_VERDICTS } from '../vendors/email/verdicts.ts'
import { openFcm } from '../vendors/fcm/index.ts'
import { FCM_VERDICTS } from '../vendors/fcm/verdicts.ts'
import { openHuawei } from '../vendors/huawei/index.ts'
import { HUAWEI_VERDICTS } from '../vendors/huawei/verdicts.ts'
import { openWecom } from '../vendors/wecom/index.ts'
import { WECOM_VERDICTS } from '../vendors/wecom/verdicts.ts'
import { openXiaomi } from '../vendors/xiaomi/index.ts'
import { XIAOMI_VERDICTS } from '../vendors/xiaomi/verdicts.ts'
import { KeptPusher } from './kept-pusher.ts'
import { Openings } from './openings.ts'

/** Every vendor: one line. `online` is no vendor; the gateway serves it. */
const OPENERS: Readonly<Partial<Record<PlatformName, OpenPusher>>> = {
  apns: openApns,
  fcm: openFcm,
  xiaomi: openXiaomi,
  huawei: openHuawei,
  wecom: openWecom,
  email: openEmail,
}

/** What each vendor may answer and what it means; docs/platforms.md is generated from it. */
export const VERDICTS: Verdicts = {
  apns: APNS_VERDICTS,
  fcm: FCM_VERDICTS,
  xiaomi: XIAOMI_VERDICTS,
  huawei: HUAWEI_VERDICTS,
  wecom: WECOM_VERDICTS,
  email: EMAIL_VERDICTS,
}

export type PushersOptions = {
  /** The opened secret part of a channel; undefined where the channel has none. */
  credentialOf(channelId: string): Promise<string | undefined>
  /** One base URL in place of every vendor's host: the simulator. Operators only. */
  vendorUrl?: string | undefined
  /** PEM to trust besides the public roots. */
  ca?: string | undefined
  /** `host:port` in place of every SMTP host. */
  smtp?: string | undefined
  /** For every address that a tenant wrote; without it none that is not public is connected to. */
  guard?: AddressGuard | undefined
  /** How long mail servers may take; only tests and attacks need others than MAIL_TIMES. */
  mailTimes?: Partial<MailTimes> | undefined
  /** Opens what an older version stored as it was uploaded; whoever gives it closes it. */
  prover?: Prover | undefined
  /** Records openings in the store, so that a credential that ends its process is not opened for ever. */
  lease?: Store['lease'] | undefined
  /** Shares access tokens over the fleet; its commands must fail rather than wait when Redis is away. */
  redis?: Connection | undefined
  log?: Log | undefined
  /** Finds out whose limit a channel counts against, as it is opened. */
  prove?(channel: Channel, credential: string): Promise<void>
  /** A pusher unused for this long is closed. */
  idleMs?: number
  /** Beyond so many, those that rest are closed sooner: each may hold connections. */
  mostKept?: number
}

const UNOPENED = 'the channel cannot be opened'
const IDLE_MS = 10 * 60_000
const MOST_KEPT = 1000
/** Who got a pusher hands it a push within this: one that rests for longer is in nobody's hands. */
const REST_MS = 1000
/** A channel that cannot be opened is written of in the log at most so often. */
const TELL_EVERY_MS = 60_000

/** The open pushers of a process: one per channel, opened when first asked for, closed when idle or changed. */
export function openPushers(options: PushersOptions): Pushers {
  return new KeptPushers(options)
}

class KeptPushers implements Pushers {
  readonly #options: PushersOptions
  readonly #shared: Pick<OpenContext, 'http' | 'http2' | 'guard'>
  readonly #kept = new Map<string, KeptPusher>()
  readonly #toldAt = new IdleMap<number>((at) => performance.now() - at > TELL_EVERY_MS)
  readonly #prover: Prover
  readonly #openings: Openings | undefined
  readonly #timer: NodeJS.Timeout
  readonly #idleMs: number
  readonly #mostKept: number
  #lookAt: number

  constructor(options: PushersOptions) {
    this.#options = options
    this.#shared = {
      http: openHttp({ ca: options.ca }),
      http2: new Http2Pool({ ca: options.ca }),
      guard: options.guard ?? openAddressGuard(),
    }
    this.#prover = options.prover ?? openProver()
    this.#openings = options.lease && new Openings(options.lease)
    this.#idleMs = options.idleMs ?? IDLE_MS
    this.#mostKept = options.mostKept ?? MOST_KEPT
    this.#lookAt = this.#mostKept
    this.#timer = setInterval(() => this.#dropIdle(this.#idleMs), Math.max(10, this.#idleMs / 10))
    this.#timer.unref()
  }

  /** Rejects with ChannelError where credential or settings are unusable. A changed channel is opened anew. */
  async for(channel: Channel): Promise<Pusher> {
    const kept = this.#kept.get(channel.id)
    if (kept && kept.updatedAt >= channel.updatedAt) return kept.opened()
    const opened = new KeptPusher(channel.updatedAt, () => this.#open(channel))
    this.#kept.set(channel.id, opened)
    if (this.#kept.size > this.#lookAt) this.#dropResting()
    try {
      return await opened.opened()
    } catch (error) {
      if (this.#kept.get(channel.id) === opened) this.#kept.delete(channel.id)
      throw error
    } finally {
      // Only now: the new one may share connections with the old one, which then stay open.
      void kept?.retire()
    }
  }

  drop(channelId: string): void {
    const kept = this.#kept.get(channelId)
    this.#kept.delete(channelId)
    void kept?.retire()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    const kept = [...this.#kept.values()]
    this.#kept.clear()
    await Promise.all(kept.map((pusher) => pusher.retire()))
    await this.#openings?.close()
    if (this.#options.prover === undefined) await this.#prover.close()
    await this.#shared.http2.close()
    this.#shared.http.close()
  }

  /** Where it cannot be told now, the channel goes on as the only one of its account until it is opened again. */
  async #prove(channel: Channel, credential: string): Promise<void> {
    try {
      await this.#options.prove?.(channel, credential)
    } catch (error) {
      this.#options.log?.warn(
        { channelId: channel.id, err: String(error) },
        'the account of a channel is not known yet',
      )
    }
  }

  async #open(channel: Channel): Promise<Pusher> {
    const open = OPENERS[channel.platform]
    if (!open) throw new ChannelError(`platform ${channel.platform} has no pusher`)
    const { vendorUrl, ca, smtp, mailTimes, redis, log } = this.#options
    try {
      const stored = await this.#credentialOf(channel)
      return await this.#recorded(channel, stored, async () => {
        const credential = await this.#plain(channel, stored)
        const pusher = await open({ channel, credential, vendorUrl, ca, smtp, mailTimes, redis, log, ...this.#shared })
        await this.#prove(channel, credential)
        return pusher
      })
    } catch (error) {
      if (error instanceof StoreDownError || error instanceof BusyError) throw error
      const refused = error instanceof ChannelError ? error : new ChannelError(UNOPENED, { cause: error })
      this.#tell(channel, refused)
      throw refused
    }
  }

  async #credentialOf(channel: Channel): Promise<string> {
    try {
      const credential = await this.#options.credentialOf(channel.id)
      if (credential === undefined || credential === '') throw new ChannelError('the channel has no credential')
      return credential
    } catch (error) {
      if (!(error instanceof SealError)) throw error
      throw new ChannelError('the stored credential does not open with the master key of this server', { cause: error })
    }
  }

  /** Nothing is worked on where a credential is a mere secret. */
  #recorded<T>(channel: Channel, stored: string, open: () => Promise<T>): Promise<T> {
    return this.#openings && hasKey(channel, stored) ? this.#openings.record(channel, stored, open) : open()
  }

  /** A key is derived from a password in a thread: the file says how long that takes. */
  async #plain(channel: Channel, stored: string): Promise<string> {
    return channel.platform === 'apns' && lockedOf(stored) ? this.#prover.prove(channel, stored) : stored
  }

  /** The cause only where it is ours: a parser's message may hold what it could not read. */
  #tell({ id, platform }: Channel, { reason, cause }: ChannelError): void {
    const toldAt = this.#toldAt.get(id) ?? Number.NEGATIVE_INFINITY
    if (performance.now() - toldAt < TELL_EVERY_MS) return
    this.#toldAt.set(id, performance.now())
    const why = cause instanceof SealError || reason === UNOPENED ? { error: String(cause) } : {}
    this.#options.log?.error(
      { alert: 'channel-unopened', channelId: id, platform, reason, ...why },
      'channel not opened',
    )
  }

  /** The next look is due when a tenth more came, so that many in use cost no look for each new one. */
  #dropResting(): void {
    this.#dropIdle(REST_MS)
    this.#lookAt = Math.max(this.#mostKept, Math.ceil(this.#kept.size * 1.1))
  }

  #dropIdle(ms: number): void {
    const before = Date.now() - ms
    for (const [channelId, kept] of this.#kept) if (kept.idleSince < before) this.drop(channelId)
  }
}
