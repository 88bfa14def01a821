import { type JsonObject, type JsonValue, type Message, PushError } from '@fanfare/core'
import { z } from 'zod'
import { jsonObject } from './names.ts'
import { toNumbers } from './numbers.ts'
import { checkText, type TextLimit } from './text.ts'

const object = jsonObject.nullish()

/** `pushMessage` (docs/wire-api.md §2). Unknown keys are tolerated, `null` is absent. */
export const pushMessage = z.looseObject({
  title: z.string().regex(/\S/, 'must not be blank'),
  content: z.string().regex(/\S/, 'must not be blank'),
  subTitle: z.string().nullish(),
  sub_title: z.string().nullish(),
  ext: object,
  config: object,
  agora: object,
  easemob: object,
  apns: object,
  fcm: object,
  fcmV1: object,
  xiaomi: object,
  huawei: object,
  harmonyOS: object,
  email: object,
  wecom: object,
})
type PushMessage = z.output<typeof pushMessage>

const chars = (max: number): TextLimit => ({ max, unit: 'chars' })
const bytes = (max: number): TextLimit => ({ max, unit: 'bytes' })
const TITLE = chars(32)
const CONTENT = chars(100)
const SUB_TITLE = chars(10)
const MAX_EXT_PAIRS = 10
const EXT = chars(1024)

const VENDORS = ['config', 'apns', 'fcm', 'fcmV1', 'xiaomi', 'huawei', 'harmonyOS', 'email', 'wecom'] as const

/** Texts of vendor objects that have a limit (docs/wire-api.md §2, docs/vendors.md §1, §5, §6). */
const TEXTS: Partial<Record<(typeof VENDORS)[number] | 'online', Readonly<Record<string, TextLimit>>>> = {
  apns: { title: bytes(4096), subTitle: bytes(4096), content: bytes(4096), collapseId: bytes(64) },
  xiaomi: { title: chars(50), description: chars(128) },
  harmonyOS: { title: bytes(4096), body: bytes(4096) },
  email: { subject: bytes(900), text: bytes(200_000), html: bytes(200_000) },
  wecom: { title: bytes(128), description: bytes(512), content: bytes(2048), url: bytes(2048), msgType: bytes(32) },
  online: { title: chars(128), content: chars(4096), subTitle: chars(128) },
}

/** The message as the core knows it; throws BAD_MESSAGE naming the field. */
export function toMessage(given: PushMessage, hanWidth: 1 | 2): Message {
  checkText('pushMessage.title', given.title, TITLE, hanWidth)
  checkText('pushMessage.content', given.content, CONTENT, hanWidth)
  const message: Message = { title: given.title, content: given.content }
  const subTitle = given.subTitle ?? given.sub_title
  if (subTitle) {
    checkText('pushMessage.subTitle', subTitle, SUB_TITLE, hanWidth)
    message.subTitle = subTitle
  }
  if (given.ext) message.ext = checkedExt(given.ext as JsonObject, hanWidth)
  for (const name of VENDORS) {
    const found = given[name]
    if (found) message[name] = vendorObject(name, found as JsonObject, hanWidth)
  }
  const online = given.agora ?? given.easemob
  if (online) message.online = vendorObject('online', online as JsonObject, hanWidth)
  return message
}

function checkedExt(ext: JsonObject, hanWidth: 1 | 2): JsonObject {
  const pairs = Object.keys(ext).length
  if (pairs > MAX_EXT_PAIRS) {
    throw new PushError('BAD_MESSAGE', { field: 'pushMessage.ext', detail: `must have at most ${MAX_EXT_PAIRS} pairs` })
  }
  checkText('pushMessage.ext', JSON.stringify(ext), EXT, hanWidth)
  return ext
}

function vendorObject(name: (typeof VENDORS)[number] | 'online', given: JsonObject, hanWidth: 1 | 2): JsonObject {
  const path = name === 'online' ? 'pushMessage.agora' : `pushMessage.${name}`
  const found = toNumbers(name, given, path)
  for (const [key, limit] of Object.entries(TEXTS[name] ?? {})) {
    const text = found[key]
    if (text === undefined || text === null) continue
    checkText(`${path}.${key}`, stringOf(`${path}.${key}`, text), limit, hanWidth)
  }
  if (name === 'email') checkOneLine(`${path}.subject`, found['subject'])
  return found
}

function stringOf(field: string, value: JsonValue): string {
  if (typeof value === 'string') return value
  throw new PushError('BAD_MESSAGE', { field, detail: `expected string, received ${kindOf(value)}` })
}

/** A subject becomes a header (docs/reliability.md T97). */
function checkOneLine(field: string, value: JsonValue | undefined): void {
  if (typeof value === 'string' && /[\r\n\0]/.test(value)) {
    throw new PushError('BAD_MESSAGE', { field, detail: 'must be one line' })
  }
}

const kindOf = (value: JsonValue): string => (Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value)
