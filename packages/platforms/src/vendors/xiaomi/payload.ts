import type { JsonObject, JsonValue, Message } from '@fanfare/core'
import {
  checkLength,
  ePushOf,
  type Field,
  firstText,
  mapFields,
  numberOf,
  objectOf,
  textOf,
} from '../../pushing/fields.ts'
import { UnfitMessage } from '../../pushing/unfit.ts'

/** What the payload needs besides the message; no clock in here. */
export type XiaomiContext = {
  taskId: string
  /** From now to the task's expiry. */
  ttlMs: number
  packageName?: string | undefined
  channelId?: string | undefined
}

/** Fewer than 50 and 128 characters. */
const MAX_TITLE = 49
const MAX_DESCRIPTION = 127
const MAX_PAYLOAD_BYTES = 4096
const MAX_JOBKEY = 20
const MAX_EXTRAS = 10
const MAX_EXTRA_CHARS = 1024
/** The longest time to live of any kind of channel; public ones are cut to a day by Xiaomi. */
const MAX_TTL_MS = 10 * 86_400_000

const listOf = (value: JsonValue): string => (Array.isArray(value) ? value.map(textOf).join(',') : textOf(value))
const booleanOf = (value: JsonValue): string => (typeof value === 'boolean' ? (value ? '1' : '0') : textOf(value))

/** `xiaomi` → form fields (docs/wire-api.md §2.5); `extra.*` is where MiPush takes its options. */
const FIELDS: readonly Field[] = [
  ['restrictedPackageNames', 'restricted_package_name', listOf],
  ['restrictedPackageName', 'restricted_package_name', listOf],
  ['passThrough', 'pass_through', booleanOf],
  ['notifyType', 'notify_type', textOf],
  ['timeToLive', 'time_to_live', (value) => numberOf(value) && String(Math.min(Number(value), MAX_TTL_MS))],
  ['timeToSend', 'time_to_send', textOf],
  ['notifyId', 'notify_id', textOf],
  ['sound', 'extra.sound_uri', textOf],
  ['ticker', 'extra.ticker', textOf],
  ['notifyForeground', 'extra.notify_foreground', booleanOf],
  ['notifyEffect', 'extra.notify_effect', textOf],
  ['intentUri', 'extra.intent_uri', textOf],
  ['webUri', 'extra.web_uri', textOf],
  ['flowControl', 'extra.flow_control', textOf],
  ['jobkey', 'extra.jobkey', textOf],
  ['callbackUrl', 'extra.callback', textOf],
  ['callbackParam', 'extra.callback.param', textOf],
  ['callbackType', 'extra.callback.type', textOf],
  ['locale', 'extra.locale', listOf],
  ['localeNotIn', 'extra.locale_not_in', listOf],
  ['model', 'extra.model', listOf],
  ['modelNotIn', 'extra.model_not_in', listOf],
  ['appVersion', 'extra.app_version', listOf],
  ['appVersionNotIn', 'extra.app_version_not_in', listOf],
  ['connpt', 'extra.connpt', textOf],
  ['onlySendOnce', 'extra.only_send_once', booleanOf],
  ['channelId', 'extra.channel_id', textOf],
]

/**
 * The form of a message without its `registration_id`. `payload` is encoded once here and once more with the form, as
 * MiPush asks. The job key makes a device show a repeated send once; it is the task, which a device gets once.
 * Throws UnfitMessage where a text is too long.
 */
export function xiaomiForm(message: Message, context: XiaomiContext): Record<string, string> {
  const given = message.xiaomi ?? {}
  const title = firstText(given['title'], message.title) ?? ''
  const description = firstText(given['description'], message.content) ?? ''
  checkLength('xiaomi.title', title, MAX_TITLE)
  checkLength('xiaomi.description', description, MAX_DESCRIPTION)
  const form = {
    ...defaultsOf(message, context),
    title,
    description,
    payload: encodeURIComponent(payloadOf(message, given, context)),
    ...(mapFields(given, FIELDS) as Record<string, string>),
  }
  checkForm(form)
  checkExtras(form)
  return form
}

function defaultsOf(
  message: Message,
  { taskId, ttlMs, packageName, channelId }: XiaomiContext,
): Record<string, string> {
  return {
    pass_through: '0',
    notify_type: '-1',
    time_to_live: String(Math.max(0, Math.min(Math.round(ttlMs), MAX_TTL_MS))),
    'extra.jobkey': `f${taskId}`,
    ...(packageName === undefined ? {} : { restricted_package_name: packageName }),
    ...(channelId === undefined ? {} : { 'extra.channel_id': channelId }),
    ...clickOf(message),
  }
}

/** `config.clickAction`: a web page, a page of the app by its intent, or else the app's start page. */
function clickOf({ config }: Message): Record<string, string> {
  const click = objectOf(config?.['clickAction'])
  const url = firstText(click?.['url'])
  const intent = firstText(click?.['action'], click?.['activity'])
  if (url !== undefined) return { 'extra.notify_effect': '3', 'extra.web_uri': url }
  if (intent !== undefined) return { 'extra.notify_effect': '2', 'extra.intent_uri': intent }
  return { 'extra.notify_effect': '1' }
}

/** A payload that is a JSON object (or none) gets the report key `EPush` (docs/wire-api.md §2.13); other text stays. */
function payloadOf(message: Message, given: JsonObject, { taskId }: XiaomiContext): string {
  const EPush = ePushOf('XIAOMIPUSH', taskId)
  const payload = given['payload']
  if (payload === undefined || payload === null || payload === '') return JSON.stringify({ ...message.ext, EPush })
  const object = typeof payload === 'string' ? parsedObject(payload) : objectOf(payload)
  return object ? JSON.stringify({ ...message.ext, ...object, EPush }) : textOf(payload)
}

function parsedObject(text: string): JsonObject | undefined {
  try {
    return objectOf(JSON.parse(text) as JsonValue)
  } catch {
    return undefined
  }
}

function checkForm(form: Record<string, string>): void {
  const bytes = Buffer.byteLength(form['payload'] ?? '')
  if (bytes > MAX_PAYLOAD_BYTES)
    throw new UnfitMessage(`xiaomi.payload: ${bytes} bytes, ${MAX_PAYLOAD_BYTES} are allowed`)
  const jobkey = form['extra.jobkey'] ?? ''
  if (!/^[0-9A-Za-z_-]*$/.test(jobkey) || jobkey.length > MAX_JOBKEY) {
    throw new UnfitMessage(`xiaomi.jobkey: at most ${MAX_JOBKEY} letters, digits, _ and -`)
  }
}

function checkExtras(form: Record<string, string>): void {
  const extras = Object.entries(form).filter(([name]) => name.startsWith('extra.'))
  const chars = extras.reduce((sum, [name, value]) => sum + name.length - 'extra.'.length + value.length, 0)
  if (extras.length > MAX_EXTRAS)
    throw new UnfitMessage(`xiaomi: ${extras.length} extra fields, ${MAX_EXTRAS} are allowed`)
  if (chars > MAX_EXTRA_CHARS)
    throw new UnfitMessage(`xiaomi: ${chars} characters of extra fields, ${MAX_EXTRA_CHARS} are allowed`)
}
