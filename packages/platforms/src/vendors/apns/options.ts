import type { KeyObject } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { type Channel, ChannelError } from '@fanfare/core'
import { bytesOf, pemBlocks, pemOf } from '../../credentials/pem.ts'
import { readPrivateKey } from '../../credentials/private-key.ts'
import { jsonOf } from '../../http/http.ts'
import { optionalSetting } from '../../pushing/opener.ts'

const UNOPENED = 'the certificate cannot be opened: wrong password, or no private key in it'
const HOSTS = { production: 'https://api.push.apple.com', sandbox: 'https://api.sandbox.push.apple.com' }

/** A p8 key signs provider tokens; a certificate authenticates the connection itself. */
export type ApnsCredential =
  | { kind: 'token'; key: KeyObject; keyId: string; teamId: string }
  | { kind: 'certificate'; tls: SecureContextOptions }

export type ApnsOptions = {
  host: string
  bundleId: string
  credential: ApnsCredential
}

/**
 * The credential is one of: the text of a p8 key (settings `keyId`, `teamId`); JSON `{key, keyId, teamId, bundleId}`;
 * PEM with certificate and private key, or JSON `{pem}`. A p12 is opened before (`credentials/`). Settings: `bundleId`
 * (or `packageName`), `environment` (`production`, the default, or `development`).
 */
export function readApnsOptions(channel: Pick<Channel, 'settings'>, credential: string): ApnsOptions {
  const json = jsonOf(credential) ?? {}
  const setting = (name: string) => optionalSetting(channel, name) ?? textIn(json, name)
  const bundleId = setting('bundleId') ?? setting('packageName') ?? ''
  if (!/^[A-Za-z0-9][A-Za-z0-9.-]{0,154}$/.test(bundleId))
    throw new ChannelError('setting bundleId is missing or malformed')
  const host = hostOf(setting('environment'))
  const p8 = textIn(json, 'key') ?? textIn(json, 'p8') ?? credential
  const certificate = certificateOf(textIn(json, 'pem') ?? credential)
  const read: ApnsCredential = certificate
    ? { kind: 'certificate', tls: certificate }
    : {
        kind: 'token',
        key: keyOf(p8),
        keyId: idOf('keyId', setting('keyId')),
        teamId: idOf('teamId', setting('teamId')),
      }
  return { host, bundleId, credential: read }
}

function textIn(json: Record<string, unknown>, name: string): string | undefined {
  const value = json[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

function hostOf(environment: string | undefined): string {
  return /^(?:development|sandbox)$/i.test(environment ?? '') ? HOSTS.sandbox : HOSTS.production
}

/** APNs keys and teams have ids of ten letters and digits. */
function idOf(name: string, value: string | undefined): string {
  if (!/^[A-Za-z0-9]{1,32}$/.test(value ?? '')) throw new ChannelError(`setting ${name} is missing or malformed`)
  return value as string
}

function keyOf(pem: string): KeyObject {
  if (!pemBlocks(pem).some(({ label }) => label.endsWith('PRIVATE KEY')))
    throw new ChannelError('the certificate is neither a p8 key nor a p12 or pem certificate')
  return readPrivateKey(pem, ['P-256'])
}

/** The client certificate, or undefined where the credential is a p8 key. */
function certificateOf(pem: string): SecureContextOptions | undefined {
  const blocks = pemBlocks(pem)
  const certificates = blocks.filter(({ label }) => label === 'CERTIFICATE').map(bytesOf)
  if (certificates.length === 0) return undefined
  if (!blocks.some(({ label }) => label.endsWith('PRIVATE KEY'))) throw new ChannelError(UNOPENED)
  const key = readPrivateKey(pem, ['RSA', 'P-256']).export({ type: 'pkcs8', format: 'pem' })
  const tls = { cert: certificates.map((der) => pemOf('CERTIFICATE', der)).join(''), key }
  try {
    createSecureContext(tls)
  } catch (error) {
    throw new ChannelError(UNOPENED, { cause: error })
  }
  return tls
}
