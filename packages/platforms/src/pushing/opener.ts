import { createHash } from 'node:crypto'
import { type Channel, ChannelError, type Log, type Pusher } from '@fanfare/core'
import type { Connection } from '@fanfare/redis'
import type { AddressGuard } from '../guard/guard.ts'
import type { Http } from '../http/http.ts'
import type { Http2Pool } from '../http/http2/pool.ts'
import type { MailTimes } from '../vendors/email/times.ts'

/**
 * What every pusher is opened with. Endpoints come from the operator's configuration only (docs/design.md §9); the one
 * that a tenant names, its mail server, is connected to through the guard.
 */
export type OpenContext = {
  channel: Channel
  /** The opened secret part: key, password or service account (docs/wire-api.md §4.3). Never logged. */
  credential: string
  /** One base URL in place of every vendor's host: the simulator. Use `at(vendorUrl, url)`. */
  vendorUrl?: string | undefined
  /** `host:port` in place of the SMTP host. */
  smtp?: string | undefined
  /** For every address that a tenant wrote. */
  guard: AddressGuard
  /** How long a mail server may take; MAIL_TIMES unless a test says otherwise. */
  mailTimes?: Partial<MailTimes> | undefined
  /** PEM to trust besides the public roots. */
  ca?: string | undefined
  /** Shares access tokens over the fleet. */
  redis?: Connection | undefined
  log?: Log | undefined
  /** Shared by all pushers of the process; not to be closed by a pusher. */
  http: Http
  http2: Http2Pool
}

/**
 * Opens one channel. Rejects with ChannelError where credential or settings are unusable; it does not connect.
 * `close` of the pusher lets what is under way finish.
 */
export type OpenPusher = (context: OpenContext) => Pusher | Promise<Pusher>

/**
 * Names the HTTP/2 client of a channel in its process: of one app, one credential as it was proven (not the ids that stand
 * beside it) and one bound of requests in flight. So no app's ids or bounds reach another's connections.
 */
export function clientKey({ channel, credential }: OpenContext, identity: string): string {
  const parts = [channel.platform, channel.appId, identity, credential, channel.limits.maxInFlight ?? null]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** A setting that must be there, as text. */
export function settingOf(channel: Pick<Channel, 'settings'>, name: string): string {
  const value = channel.settings[name]
  if (value === undefined || value === '') throw new ChannelError(`setting ${name} is missing`)
  return String(value)
}

/** A setting as text, or undefined. */
export function optionalSetting(channel: Pick<Channel, 'settings'>, name: string): string | undefined {
  const value = channel.settings[name]
  return value === undefined || value === '' ? undefined : String(value)
}
