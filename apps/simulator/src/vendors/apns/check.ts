import type { Exchange } from '../../http/exchange.ts'

/** https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns */
const UUID = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/
const DEVICE_TOKEN = /^(?:[0-9a-fA-F]{2}){32,100}$/
const EPOCH_SECONDS = /^\d{1,12}$/
const MAX_COLLAPSE_BYTES = 64
const MAX_PAYLOAD_BYTES = 4096
const MAX_VOIP_BYTES = 5120
const PRIORITIES = new Set(['10', '5', '1'])
/** Push types with what their topic must end in. */
const TOPIC_ENDS: Readonly<Record<string, string>> = {
  alert: '',
  background: '',
  controls: '.push-type.controls',
  location: '.location-query',
  voip: '.voip',
  complication: '.complication',
  fileprovider: '.pushkit.fileprovider',
  mdm: '',
  liveactivity: '.push-type.liveactivity',
  pushtotalk: '.voip-ptt',
  widgets: '.push-type.widgets',
}

/** Apple's reason against the headers, the token or the payload; undefined if all is well. */
export function findReason(exchange: Exchange, token: string, topic: string): string | undefined {
  return checkToken(token) ?? checkHeaders(exchange, topic) ?? checkPayload(exchange)
}

function checkToken(token: string): string | undefined {
  if (token === '') return 'MissingDeviceToken'
  return DEVICE_TOKEN.test(token) ? undefined : 'BadDeviceToken'
}

function checkHeaders({ headers }: Exchange, topic: string): string | undefined {
  const id = headers['apns-id']
  if (id !== undefined && !UUID.test(String(id))) return 'BadMessageId'
  const expiration = headers['apns-expiration']
  if (expiration !== undefined && !EPOCH_SECONDS.test(String(expiration))) return 'BadExpirationDate'
  const collapseId = headers['apns-collapse-id']
  if (collapseId !== undefined && Buffer.byteLength(String(collapseId)) > MAX_COLLAPSE_BYTES) return 'BadCollapseId'
  if (topic === '') return 'MissingTopic'
  return checkType(String(headers['apns-push-type'] ?? 'alert'), headers['apns-priority'], topic)
}

/** Background pushes must have priority 5: 10 is an error, and 10 is what an absent priority means. */
function checkType(type: string, priority: string | string[] | undefined, topic: string): string | undefined {
  if (!Object.hasOwn(TOPIC_ENDS, type)) return 'InvalidPushType'
  if (priority !== undefined && !PRIORITIES.has(String(priority))) return 'BadPriority'
  if (type === 'background' && (priority ?? '10') === '10') return 'BadPriority'
  return topic.endsWith(TOPIC_ENDS[type] as string) ? undefined : 'TopicDisallowed'
}

function checkPayload({ headers, body, bodyBytes }: Exchange): string | undefined {
  if (bodyBytes === 0) return 'PayloadEmpty'
  const limit = headers['apns-push-type'] === 'voip' ? MAX_VOIP_BYTES : MAX_PAYLOAD_BYTES
  if (bodyBytes > limit) return 'PayloadTooLarge'
  try {
    const payload: unknown = JSON.parse(body)
    return typeof payload === 'object' && payload !== null && !Array.isArray(payload) ? undefined : 'PayloadEmpty'
  } catch {
    return 'PayloadEmpty'
  }
}
