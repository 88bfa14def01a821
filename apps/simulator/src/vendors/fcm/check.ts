import type { Reply } from '../../http/exchange.ts'
import { fieldViolation } from './replies.ts'

type FcmObject = Readonly<Record<string, unknown>>
export type FcmMessage = FcmObject & { token?: string }
export type Checked = { message: FcmMessage; validateOnly: boolean } | { reply: Reply }

/** https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages#resource:-message */
const FIELDS: Readonly<Record<string, ReadonlySet<string>>> = {
  '': new Set(['message', 'validate_only', 'validateOnly']),
  message: new Set(
    'name data notification android webpush apns fcm_options fcmOptions token topic condition fid'.split(' '),
  ),
  'message.notification': new Set(['title', 'body', 'image']),
  'message.apns': new Set([
    'headers',
    'payload',
    'fcm_options',
    'fcmOptions',
    'live_activity_token',
    'liveActivityToken',
  ]),
  'message.webpush': new Set(['headers', 'data', 'notification', 'fcm_options', 'fcmOptions']),
  'message.android': new Set(
    (
      'collapse_key collapseKey priority ttl restricted_package_name restrictedPackageName data notification ' +
      'fcm_options fcmOptions direct_boot_ok directBootOk bandwidth_constrained_ok bandwidthConstrainedOk ' +
      'restricted_satellite_ok restrictedSatelliteOk'
    ).split(' '),
  ),
}
const TARGETS = ['token', 'topic', 'condition', 'fid']
const PARTS = ['notification', 'android', 'apns', 'webpush']
const RESERVED_DATA_KEY = /^(?:from|message_type|(?:google|gcm)(?:\.|$).*)$/
const DURATION = /^\d{1,10}(?:\.\d{1,9})?s$/
const MAX_TTL_SECONDS = 2_419_200
const MAX_BYTES = 4096
const MAX_TOPIC_BYTES = 2048

/** Checks a `messages:send` body as FCM does: unknown names, types, target, ttl, size. */
export function checkMessage(body: string, bodyBytes: number): Checked {
  const request = parseObject(body)
  if (!request) return { reply: fieldViolation('', 'Unexpected token.') }
  const message = request['message']
  const reply =
    unknownName(request, '') ??
    (isObject(message) ? undefined : fieldViolation('message', 'Message is required.')) ??
    checkParts(message as FcmObject) ??
    checkTarget(message as FcmObject) ??
    checkData((message as FcmObject)['data']) ??
    checkTtl(message as FcmObject) ??
    checkSize(message as FcmObject, bodyBytes)
  if (reply) return { reply }
  return {
    message: message as FcmMessage,
    validateOnly: (request['validate_only'] ?? request['validateOnly']) === true,
  }
}

function parseObject(body: string): FcmObject | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function unknownName(value: FcmObject, at: string): Reply | undefined {
  const known = FIELDS[at] as ReadonlySet<string>
  for (const name in value) {
    if (!known.has(name)) return fieldViolation('', `Unknown name "${name}"${at && ` at '${at}'`}: Cannot find field.`)
  }
  return undefined
}

function checkParts(message: FcmObject): Reply | undefined {
  for (const part of PARTS) {
    const value = message[part]
    if (value === undefined) continue
    if (!isObject(value)) return fieldViolation(`message.${part}`, `Invalid value at 'message.${part}'`)
    const reply = unknownName(value, `message.${part}`)
    if (reply) return reply
  }
  return unknownName(message, 'message')
}

function checkTarget(message: FcmObject): Reply | undefined {
  const targets = TARGETS.filter((name) => message[name] !== undefined)
  const [target] = targets
  if (!target) return fieldViolation('message', 'Recipient of the message is not set.')
  if (targets.length > 1)
    return fieldViolation('message', "Invalid value at 'message' (oneof), oneof field 'target' is already set.")
  const value = message[target]
  return typeof value === 'string' && value !== ''
    ? undefined
    : fieldViolation(`message.${target}`, `Invalid value at 'message.${target}' (TYPE_STRING)`)
}

function checkData(data: unknown): Reply | undefined {
  if (data === undefined) return undefined
  if (!isObject(data)) return fieldViolation('message.data', "Invalid value at 'message.data'")
  for (const key in data) {
    if (typeof data[key] !== 'string') {
      return fieldViolation(
        `message.data[0].value`,
        `Invalid value at 'message.data[0].value' (TYPE_STRING), ${data[key]}`,
      )
    }
    if (RESERVED_DATA_KEY.test(key)) return fieldViolation('message.data', `Invalid data payload key: ${key}`)
  }
  return undefined
}

function checkTtl(message: FcmObject): Reply | undefined {
  const android = message['android']
  const ttl = isObject(android) ? android['ttl'] : undefined
  if (ttl === undefined) return undefined
  if (typeof ttl === 'string' && DURATION.test(ttl) && Number.parseFloat(ttl) <= MAX_TTL_SECONDS) return undefined
  return fieldViolation('message.android.ttl', `Invalid value at 'message.android.ttl' (${String(ttl)})`)
}

/** A body within the limit cannot hold a payload above it, so most messages are not measured. */
function checkSize(message: FcmObject, bodyBytes: number): Reply | undefined {
  const limit = message['topic'] === undefined ? MAX_BYTES : MAX_TOPIC_BYTES
  if (bodyBytes <= limit) return undefined
  const android = sizeOf(message['notification']) + sizeOf(message['data']) + sizeOf(notificationOf(message['android']))
  if (android > limit) return fieldViolation('message', 'Android message is too big')
  const apns = isObject(message['apns']) ? message['apns']['payload'] : undefined
  return jsonBytes(apns) > limit ? fieldViolation('message', 'iOS message is too big') : undefined
}

function notificationOf(part: unknown): unknown {
  return isObject(part) ? part['notification'] : undefined
}

/** Keys and values without punctuation. */
function sizeOf(part: unknown): number {
  if (!isObject(part)) return 0
  return Object.entries(part).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)),
    0,
  )
}

function jsonBytes(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value))
}

function isObject(value: unknown): value is FcmObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
