import { rootCertificates } from 'node:tls'
import { ChannelError, type ChannelSettings } from '@fanfare/core'
import { type AddressGuard, AddressRefused, type WrittenAddress } from '../../guard/guard.ts'
import type { OpenContext } from '../../pushing/opener.ts'
import { optionalSetting } from '../../pushing/opener.ts'
import { type Mailbox, mailboxOf } from './address.ts'
import { MAIL_TIMES, type MailTimes } from './times.ts'

/** `tls` from the first byte, `starttls` or nothing, `none` for a relay without TLS, which then gets no password. */
export type Security = 'tls' | 'starttls' | 'none'
/** The tenant's server is connected to through the guard, the operator's (VENDOR_SMTP) directly. */
export type MailServer = { host: string; port: number; guarded?: { written: WrittenAddress; guard: AddressGuard } }
export type EmailOptions = {
  server: MailServer
  security: Security
  auth: { user: string; pass: string } | undefined
  from: Mailbox
  maxConnections: number
  times: MailTimes
  ca: string[] | undefined
}

/** A tenant names the host, so the port must be one of mail: 25, 465 (TLS), 587, 2525. The operator's may be any. */
const PORTS = new Set([25, 465, 587, 2525])
const SUBMISSION = 587
const CONNECTIONS = 5
/** More than most relays take from one sender, and few of this process's sockets. */
const MOST_CONNECTIONS = 20

/**
 * `host`, `port` (587), `user`, `from` (the user by default) and `security` are settings of the channel, the password
 * is its credential. `security` is `tls` on port 465 and else `starttls`; it never falls back to plain text.
 */
export function readEmailOptions({ channel, credential, smtp, ca, guard, mailTimes }: OpenContext): EmailOptions {
  const written = mailServerOf(channel.settings)
  const user = optionalSetting(channel, 'user')
  const security = securityOf(
    optionalSetting(channel, 'security') ?? (written.port === 465 && !smtp ? 'tls' : 'starttls'),
  )
  const from = mailboxOf(optionalSetting(channel, 'from') ?? user ?? '')
  if (!from) throw new ChannelError('setting from must be an address, or a name and an address in <>')
  if (user !== undefined && security === 'none') throw new ChannelError('a password is not sent without TLS')
  return {
    server: smtp ? operatorsServer(smtp) : tenantsServer(written, guard),
    security,
    auth: user === undefined ? undefined : { user, pass: credential },
    from,
    maxConnections: Math.min(channel.limits.maxInFlight ?? CONNECTIONS, MOST_CONNECTIONS),
    times: { ...MAIL_TIMES, ...mailTimes },
    ca: ca ? [...rootCertificates, ca] : undefined,
  }
}

function securityOf(text: string): Security {
  if (text === 'tls' || text === 'starttls' || text === 'none') return text
  throw new ChannelError('setting security must be tls, starttls or none')
}

/** The server that a tenant wrote into the settings of an e-mail channel. */
export function mailServerOf({ host = '', port = SUBMISSION }: ChannelSettings): WrittenAddress {
  return { host: String(host), port: Number(port), ports: PORTS }
}

function tenantsServer(written: WrittenAddress, guard: AddressGuard): MailServer {
  try {
    guard.examine(written)
  } catch (error) {
    throw error instanceof AddressRefused ? new ChannelError(`setting ${error.message}`) : error
  }
  return { host: written.host, port: written.port, guarded: { written, guard } }
}

function operatorsServer(smtp: string): MailServer {
  const { hostname, port } = new URL(`smtp://${smtp}`)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 25) }
}
