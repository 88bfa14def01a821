import { createPrivateKey, type KeyObject } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { type Channel, ChannelError } from '@fanfare/core'
import { jsonOf } from '../http.ts'
import { optionalSetting } from '../opener.ts'

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
 * The credential is one of: the text of a p8 key (settings `keyId`, `teamId`); JSON `{key, keyId, teamId, bundleId}`; PEM with certificate
 * and private key; base64 of a p12, or JSON `{p12, password}`. Settings: `bundleId` (or `packageName`), `environment`
 * (`production`, the default, or `development`).
 */
export function readApnsOptions(channel: Channel, credential: string): ApnsOptions {
  const json = jsonOf(credential) ?? {}
  const setting = (name: string) => optionalSetting(channel, name) ?? textIn(json, name)
  const bundleId = setting('bundleId') ?? setting('packageName') ?? ''
  if (!/^[A-Za-z0-9][A-Za-z0-9.-]{0,154}$/.test(bundleId))
    throw new ChannelError('setting bundleId is missing or malformed')
  const host = hostOf(setting('environment'))
  const p8 = textIn(json, 'key') ?? textIn(json, 'p8') ?? credential
  const certificate = certificateOf(json, credential)
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
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (error) {
    throw new ChannelError('the certificate is neither a p8 key nor a p12 or pem certificate', { cause: error })
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new ChannelError('the p8 key is not of the curve P-256')
  return key
}

/** The client certificate, or undefined where the credential is a p8 key. */
function certificateOf(json: Record<string, unknown>, credential: string): SecureContextOptions | undefined {
  const p12 = textIn(json, 'p12') ?? (isBase64(credential) ? credential : undefined)
  const passphrase = textIn(json, 'password')
  const pem = textIn(json, 'pem') ?? (credential.includes('-----BEGIN CERTIFICATE-----') ? credential : undefined)
  if (p12 === undefined && pem === undefined) return undefined
  const tls: SecureContextOptions =
    p12 === undefined ? { cert: pem as string, key: pem as string } : { pfx: Buffer.from(p12, 'base64') }
  const complete = passphrase === undefined ? tls : { ...tls, passphrase }
  try {
    createSecureContext(complete)
  } catch (error) {
    throw new ChannelError('the certificate cannot be opened: wrong password, or no private key in it', {
      cause: error,
    })
  }
  return complete
}

/** Each pattern is one run of one class: a tenant's text costs what it is long, once. */
function isBase64(text: string): boolean {
  const packed = text.replace(/\s+/g, '')
  return packed.length >= 200 && /^[A-Za-z0-9+/]+={0,2}$/.test(packed)
}
