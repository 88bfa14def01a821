/** What a Huawei request says, or the code of what is wrong with it. */
export type Checked = { tokens: readonly string[]; content: unknown; problem?: string }
type Json = Readonly<Record<string, unknown>>

const MAX_TOKENS = 1000
const MAX_BYTES = 4096
const MAX_TTL_SECONDS = 1_296_000
const MAX_COLLAPSE_KEY = 100
const TTL = /^(\d+)(?:\.\d+)?s$/
const WRONG_PARAMETER = '80100001'
const WRONG_STRUCTURE = '80100003'
const WRONG_TTL = '80100004'
const WRONG_COLLAPSE_KEY = '80100013'
const TOO_BIG = '80300008'
const TOO_MANY_TOKENS = '80300010'

/** v1 and v2: `{validate_only?, message: {token, android, …}}`. */
export function checkV1(body: string, bodyBytes: number): Checked {
  const message = objectAt(parse(body), 'message')
  const tokens = tokensOf(message?.['token'])
  const problem = !message || !tokens ? WRONG_STRUCTURE : (checkSize(tokens, bodyBytes) ?? checkMessage(message))
  return { tokens: tokens ?? [], content: message, ...(problem && { problem }) }
}

/** v3 (HarmonyOS): `{payload, target: {token}, pushOptions?}`. */
export function checkV3(body: string, bodyBytes: number): Checked {
  const request = parse(body)
  const tokens = tokensOf(objectAt(request, 'target')?.['token'])
  const payload = objectAt(request, 'payload')
  const problem =
    !payload || !tokens ? WRONG_STRUCTURE : (checkSize(tokens, bodyBytes) ?? checkPayload(payload, request))
  return { tokens: tokens ?? [], content: request, ...(problem && { problem }) }
}

function checkSize(tokens: readonly string[], bodyBytes: number): string | undefined {
  if (tokens.length === 0) return WRONG_PARAMETER
  if (tokens.length > MAX_TOKENS) return TOO_MANY_TOKENS
  const listBytes = bodyBytes <= MAX_BYTES ? 0 : Buffer.byteLength(JSON.stringify(tokens))
  return bodyBytes - listBytes > MAX_BYTES ? TOO_BIG : undefined
}

function checkMessage(message: Json): string | undefined {
  const android = objectAt(message, 'android')
  const notification = objectAt(android, 'notification')
  const general = objectAt(message, 'notification')
  if (!notification && !general && typeof message['data'] !== 'string') return WRONG_STRUCTURE
  return checkAndroid(android) ?? (notification && checkNotification(notification, general))
}

function checkAndroid(android: Json | undefined): string | undefined {
  const ttl = android?.['ttl']
  if (ttl !== undefined && !(typeof ttl === 'string' && isTtl(ttl))) return WRONG_TTL
  const collapseKey = android?.['collapse_key'] ?? -1
  const isKey = Number.isInteger(collapseKey) && Number(collapseKey) >= -1 && Number(collapseKey) <= MAX_COLLAPSE_KEY
  return isKey ? undefined : WRONG_COLLAPSE_KEY
}

function checkNotification(notification: Json, general: Json | undefined): string | undefined {
  for (const name of ['title', 'body']) {
    const text = notification[name] ?? general?.[name]
    if (typeof text !== 'string' || text === '') return WRONG_STRUCTURE
  }
  const type = objectAt(notification, 'click_action')?.['type']
  return typeof type === 'number' && type >= 1 && type <= 4 ? undefined : WRONG_STRUCTURE
}

function checkPayload(payload: Json, request: Json | undefined): string | undefined {
  const notification = objectAt(payload, 'notification')
  if (notification) {
    const { title, body, category } = notification
    if (![title, body, category].every((text) => typeof text === 'string' && text !== '')) return WRONG_STRUCTURE
    if (typeof objectAt(notification, 'clickAction')?.['actionType'] !== 'number') return WRONG_STRUCTURE
  }
  const ttl = objectAt(request, 'pushOptions')?.['ttl'] ?? 1
  return typeof ttl === 'number' && ttl > 0 && ttl <= MAX_TTL_SECONDS ? undefined : WRONG_TTL
}

function isTtl(ttl: string): boolean {
  const seconds = Number(TTL.exec(ttl)?.[1] ?? -1)
  return seconds > 0 && seconds <= MAX_TTL_SECONDS
}

function tokensOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((token) => typeof token === 'string' && token !== '') ? value : undefined
}

function parse(body: string): Json | undefined {
  try {
    return asObject(JSON.parse(body))
  } catch {
    return undefined
  }
}

function objectAt(value: Json | undefined, name: string): Json | undefined {
  return asObject(value?.[name])
}

function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
}
