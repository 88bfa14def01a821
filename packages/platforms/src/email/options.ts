import { isIP } from 'node:net'
import { rootCertificates } from 'node:tls'
import { ChannelError } from '@fanfare/core'
import type { OpenContext } from '../opener.ts'
import { optionalSetting, settingOf } from '../opener.ts'
import { type Mailbox, mailboxOf } from './address.ts'

/** `tls` from the first byte, `starttls` or nothing, `none` for a relay without TLS, which then gets no password. */
export type Security = 'tls' | 'starttls' | 'none'
export type EmailOptions = {
  host: string
  port: number
  security: Security
  auth: { user: string; pass: string } | undefined
  from: Mailbox
  maxConnections: number
  ca: string[] | undefined
}

const HOST = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/
/** A tenant names the host, so the port must be one of mail: 25, 465 (TLS), 587, 2525. The operator's may be any. */
const PORTS = new Set([25, 465, 587, 2525])
const MAX_CONNECTIONS = 5

/**
 * `host`, `port` (587), `user`, `from` (the user by default) and `security` are settings of the channel, the password
 * is its credential. `security` is `tls` on port 465 and else `starttls`; it never falls back to plain text.
 */
export function readEmailOptions({ channel, credential, smtp, ca }: OpenContext): EmailOptions {
  const port = Number(optionalSetting(channel, 'port') ?? 587)
  const user = optionalSetting(channel, 'user')
  const security = securityOf(optionalSetting(channel, 'security') ?? (port === 465 && !smtp ? 'tls' : 'starttls'))
  const from = mailboxOf(optionalSetting(channel, 'from') ?? user ?? '')
  if (!from) throw new ChannelError('setting from must be an address, or a name and an address in <>')
  if (user !== undefined && security === 'none') throw new ChannelError('a password is not sent without TLS')
  return {
    ...(smtp ? operatorsHost(smtp) : tenantsHost(settingOf(channel, 'host'), port)),
    security,
    auth: user === undefined ? undefined : { user, pass: credential },
    from,
    maxConnections: channel.limits.maxInFlight ?? MAX_CONNECTIONS,
    ca: ca ? [...rootCertificates, ca] : undefined,
  }
}

function securityOf(text: string): Security {
  if (text === 'tls' || text === 'starttls' || text === 'none') return text
  throw new ChannelError('setting security must be tls, starttls or none')
}

function tenantsHost(host: string, port: number): { host: string; port: number } {
  if (!HOST.test(host) || isIP(host)) throw new ChannelError('setting host must be the name of a mail server')
  if (!PORTS.has(port)) throw new ChannelError(`setting port must be one of ${[...PORTS].join(', ')}`)
  return { host, port }
}

function operatorsHost(smtp: string): { host: string; port: number } {
  const { hostname, port } = new URL(`smtp://${smtp}`)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 25) }
}
