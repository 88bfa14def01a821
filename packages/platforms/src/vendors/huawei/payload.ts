import type { JsonObject, JsonValue, Message } from '@fanfare/core'
import {
  checkLength,
  defined,
  ePushOf,
  firstText,
  mapFields,
  objectOf,
  textOf,
  unlessEmpty,
} from '../../pushing/fields.ts'
import { UnfitMessage } from '../../pushing/unfit.ts'
import { ANDROID, ANDROID_NOTIFICATION, MAX_TTL_SECONDS, NOTIFICATION, REQUEST } from './fields.ts'

/** What the payload needs besides the message; no clock in here. */
export type HuaweiContext = {
  taskId: string
  ttlMs: number
  category?: string | undefined
  action?: string | undefined
  activityClass?: string | undefined
}
/** A body in two parts, between which the list of tokens stands. */
export type Splice = { before: string; after: string }

const MAX_BODY_BYTES = 4096

/**
 * The body of v1 (`/v1/{appId}/messages:send`). A `huawei.message` with `data` and no notification is a pass-through
 * message, as at Huawei; anything else is a notification with the basic fields where the vendor object has none.
 * Throws UnfitMessage where a limit is exceeded.
 */
export function huaweiBody(message: Message, context: HuaweiContext): Splice {
  const given = message.huawei ?? {}
  const inner = objectOf(given['message'])
  const android = objectOf(inner?.['android'])
  const passThrough = isPassThrough(inner, android)
  const body = {
    validate_only: false,
    ...mapFields(given, REQUEST),
    message: defined({
      data: dataOf(message, inner, context),
      notification: passThrough ? undefined : basicNotification(message, inner, android),
      android: androidOf(message, android, { ...context, passThrough }),
    }),
  }
  const splice = cutAt(body, 'message', 'token')
  checkBytes(splice)
  return splice
}

/** The JSON of `body` with an empty place for the list `name` in `body[parent]`. */
export function cutAt(body: Record<string, JsonValue>, parent: string, name: string): Splice {
  const { [parent]: inner, ...rest } = body
  const before = `{"${parent}":{"${name}":`
  const [innerText, restText] = [JSON.stringify(inner).slice(1), JSON.stringify(rest).slice(1)]
  const after = (innerText === '}' ? '}' : `,${innerText}`) + (restText === '}' ? '}' : `,${restText}`)
  return { before, after }
}

/** Checked before anything is sent: Huawei counts the body without its tokens. */
export function checkBytes({ before, after }: Splice): void {
  const bytes = Buffer.byteLength(before) + Buffer.byteLength(after)
  if (bytes > MAX_BODY_BYTES)
    throw new UnfitMessage(`huawei: the body has ${bytes} bytes, ${MAX_BODY_BYTES} are allowed`)
}

function isPassThrough(inner: JsonObject | undefined, android: JsonObject | undefined): boolean {
  const data = inner?.['data'] ?? android?.['data']
  const notification = objectOf(inner?.['notification']) ?? objectOf(android?.['notification'])
  return data !== undefined && data !== null && !notification
}

/** Text given by the caller stays as it is unless it is a JSON object; then it gets the report key `EPush`. */
function dataOf(message: Message, inner: JsonObject | undefined, { taskId }: HuaweiContext): string {
  const EPush = ePushOf('HUAWEIPUSH', taskId)
  const given = inner?.['data'] ?? null
  const object = typeof given === 'string' ? parsedObject(given) : objectOf(given)
  if (given !== null && given !== '' && !object) return textOf(given)
  return JSON.stringify({ ...message.ext, ...object, EPush })
}

function parsedObject(text: string): JsonObject | undefined {
  try {
    return objectOf(JSON.parse(text) as JsonValue)
  } catch {
    return undefined
  }
}

function basicNotification(
  message: Message,
  inner: JsonObject | undefined,
  android: JsonObject | undefined,
): JsonObject {
  const given = objectOf(inner?.['notification'])
  const own = objectOf(android?.['notification'])
  const title = firstText(given?.['title'], own?.['title'], message.title) ?? ''
  const body = firstText(given?.['body'], own?.['body'], message.content) ?? ''
  return { ...mapFields(given, NOTIFICATION), title, body }
}

type AndroidContext = HuaweiContext & { passThrough: boolean }

function androidOf(message: Message, android: JsonObject | undefined, context: AndroidContext): JsonObject {
  const { category, ttlMs, passThrough } = context
  const seconds = Math.max(1, Math.min(Math.round(ttlMs / 1000), MAX_TTL_SECONDS))
  return {
    ...defined({ category, ttl: `${seconds}s` }),
    ...mapFields(android, ANDROID),
    ...(passThrough
      ? {}
      : { notification: androidNotification(message, objectOf(android?.['notification']), context) }),
  }
}

/** The tag is the task: a repeated send replaces the notification of the first (docs/reliability.md §3.1). */
function androidNotification(message: Message, given: JsonObject | undefined, context: AndroidContext): JsonObject {
  checkNotification(given)
  return {
    ...defined({ badge: badgeOf(message, context) }),
    click_action: clickOf(message, context),
    tag: `f${context.taskId}`,
    ...mapFields(given, ANDROID_NOTIFICATION),
  }
}

/** `config.clickAction`: a web page, a page of the app by its action, or else the app's start page. */
function clickOf({ config }: Message, { action: fallback }: HuaweiContext): JsonObject {
  const click = objectOf(config?.['clickAction'])
  const url = firstText(click?.['url'])
  const action = firstText(click?.['action'], click?.['activity'], fallback)
  if (url !== undefined) return { type: 2, url }
  return action === undefined ? { type: 3 } : { type: 1, action }
}

function badgeOf({ config }: Message, { activityClass }: HuaweiContext): JsonObject | undefined {
  const badge = objectOf(config?.['badge'])
  const entry = firstText(badge?.['activity'], activityClass)
  const numbers = mapFields(badge, [
    ['addNum', 'add_num'],
    ['setNum', 'set_num'],
  ])
  return unlessEmpty(numbers) && { ...numbers, ...(entry === undefined ? {} : { class: entry }) }
}

const FIELD = 'huawei.message.android.notification'

function checkNotification(given: JsonObject | undefined): void {
  checkCount(`${FIELD}.vibrateConfig`, given?.['vibrateConfig'], 10)
  checkCount(`${FIELD}.inboxContent`, given?.['inboxContent'], 5)
  checkCount(`${FIELD}.buttons`, given?.['buttons'], 3)
  for (const line of listOf(given?.['inboxContent'])) checkLength(`${FIELD}.inboxContent`, textOf(line), 1024)
  for (const button of listOf(given?.['buttons']).map(objectOf)) {
    checkLength(`${FIELD}.buttons.name`, firstText(button?.['name']), 40)
    checkLength(`${FIELD}.buttons.data`, firstText(button?.['data']), 1024)
  }
  checkBadge(objectOf(given?.['badge']))
}

function checkBadge(badge: JsonObject | undefined): void {
  for (const [name, least] of [
    ['addNum', 1],
    ['setNum', 0],
  ] as const) {
    const value = badge?.[name] ?? null
    if (value !== null && !(Number(value) >= least && Number(value) <= 99)) {
      throw new UnfitMessage(`${FIELD}.badge.${name}: must be ${least} to 99`)
    }
  }
}

const listOf = (value: JsonValue | undefined): JsonValue[] => (Array.isArray(value) ? value : [])

/** Refuses a list of more items than the vendor takes. */
export function checkCount(field: string, value: JsonValue | undefined, max: number): void {
  if (listOf(value).length > max) throw new UnfitMessage(`${field}: at most ${max} items`)
}
