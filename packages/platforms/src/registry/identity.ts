import { X509Certificate } from 'node:crypto'
import { type Channel, ChannelError, claimedId, countingId, type Identity, type PlatformName } from '@fanfare/core'
import { jsonOf } from '../http/http.ts'

type Subject = Pick<Channel, 'platform' | 'name' | 'settings'>

/** What a credential says: the settings it decides by itself, and the secret in one form, however it was written. */
type Said = { settings: Readonly<Record<string, string>>; secret: string }

const SAID: Readonly<Partial<Record<PlatformName, (subject: Subject, credential: string) => Said>>> = {
  fcm: saidByServiceAccount,
  apns: saidByApns,
  huawei: saidByHuawei,
}

/** Where the credential names what the vendor counts by, that stands; else what the app claims. */
export function identify(subject: Subject, credential: string): Identity {
  const { settings, secret } = saidBy(subject, credential)
  const { platform } = subject
  if (platform === 'apns') return { id: apnsId(subject, settings), secret }
  if (platform === 'huawei' && isV3(subject)) return { id: huaweiId(subject, settings), secret }
  return { id: claimedId({ ...subject, settings: { ...subject.settings, ...settings } }), secret }
}

/** Throws ChannelError where a setting says something else than the credential. */
export function checkIdentity(subject: Subject, credential: string): void {
  const said = saidBy(subject, credential).settings
  for (const [name, value] of Object.entries(said)) {
    const names = subject.platform === 'apns' && name === 'bundleId' ? ['bundleId', 'packageName'] : [name]
    for (const setting of names) {
      const given = textOf(subject.settings[setting])
      if (given !== undefined && !agrees(setting, given, value)) {
        throw new ChannelError(`setting ${setting} contradicts the certificate, which is of ${value.slice(0, 200)}`)
      }
    }
  }
}

function saidBy(subject: Subject, credential: string): Said {
  return SAID[subject.platform]?.(subject, credential) ?? { settings: {}, secret: credential.trim() }
}

/** A certificate for an app is one for its `.voip`, `.complication` and other topics too. */
function agrees(setting: string, given: string, said: string): boolean {
  const isTopic = setting === 'bundleId' || setting === 'packageName'
  const [one, other] = [given.toLowerCase(), said.toLowerCase()]
  return one === other || (isTopic && one.startsWith(`${other}.`))
}

function saidByServiceAccount(_: Subject, credential: string): Said {
  const json = jsonOf(credential) ?? {}
  const projectId = textOf(json['project_id']) ?? textOf(json['projectId'])
  const email = textOf(json['client_email']) ?? textOf(json['clientEmail']) ?? ''
  const key = textOf(json['private_key']) ?? textOf(json['privateKey']) ?? credential
  return { settings: projectId === undefined ? {} : { projectId }, secret: `${email} ${packed(key)}` }
}

/** A p8 key says nothing of itself; the JSON it may stand in, and the subject of a certificate, do. */
function saidByApns(_: Subject, credential: string): Said {
  const json = jsonOf(credential) ?? {}
  const certificate = certificateIn(textOf(json['pem']) ?? credential)
  if (certificate) {
    const team = /^OU=(.+)$/m.exec(certificate.subject)?.[1]
    const topic = /^UID=(.+)$/m.exec(certificate.subject)?.[1]
    return { settings: given({ teamId: team, bundleId: topic }), secret: certificate.fingerprint256 }
  }
  const key = textOf(json['key']) ?? textOf(json['p8']) ?? textOf(json['p12']) ?? credential
  const said = given({ teamId: textOf(json['teamId']), bundleId: textOf(json['bundleId']) })
  return { settings: said, secret: packed(key) }
}

function saidByHuawei(subject: Subject, credential: string): Said {
  const json = credential.trimStart().startsWith('{') ? jsonOf(credential) : undefined
  if (!json) return { settings: {}, secret: credential.trim() }
  const projectId = isV3(subject) ? textOf(json['project_id']) : undefined
  const secret = `${textOf(json['key_id']) ?? ''} ${packed(textOf(json['private_key']) ?? '')}`
  return { settings: given({ projectId }), secret }
}

const isV3 = ({ settings }: Subject): boolean => /^v?3$/i.test(textOf(settings['apiVersion']) ?? '')

const huaweiId = ({ name, settings }: Subject, said: Said['settings']): string =>
  countingId([said['projectId'] ?? textOf(settings['projectId']) ?? name])

function apnsId(subject: Subject, said: Said['settings']): string {
  const { settings } = subject
  const team = said['teamId'] ?? textOf(settings['teamId'])
  const topic = said['bundleId'] ?? textOf(settings['bundleId']) ?? textOf(settings['packageName'])
  return team === undefined && topic === undefined ? claimedId(subject) : countingId([team ?? '', topic ?? ''])
}

function certificateIn(pem: string): X509Certificate | undefined {
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) return undefined
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

/** A key without what may differ between two copies of it: lines, blanks, the words around it. */
const packed = (pem: string): string => pem.replace(/-----[A-Z0-9 ]{1,40}-----/g, '').replace(/\s+/g, '')

const textOf = (value: unknown): string | undefined =>
  value === undefined || value === null || value === '' || typeof value === 'object' ? undefined : String(value)

const given = (values: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined))
