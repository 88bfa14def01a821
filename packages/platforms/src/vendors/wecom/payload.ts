import type { JsonObject, Message } from '@fanfare/core'
import { firstText, mapFields, numberOf, objectOf } from '../../pushing/fields.ts'
import { UnfitMessage } from '../../pushing/unfit.ts'

/** A body in two parts, between which the users stand, joined by `|`, as a JSON text without its quotes. */
export type WecomBody = { before: string; after: string }

const MAX_TEXT_BYTES = 2048
const MAX_CARD_TITLE_BYTES = 128
const MAX_CARD_DESCRIPTION_BYTES = 512
const MAX_URL_BYTES = 2048
/** WeCom drops a repeated body within this time. All retries of a chunk fall into it (core RETRY, MAX_TRIES). */
const DUPLICATE_CHECK_SECONDS = 1800

type Build = (message: Message, given: JsonObject) => JsonObject
const KINDS: Readonly<Record<string, Build>> = { text: textOf, markdown: textOf, textcard: cardOf }

/**
 * The body of `message/send` (docs/wire-api.md §4.3: `wecom{msgType, content, title, description, url}`). The same
 * message, task and users give the same bytes: that is what the duplicate check compares. `fanfare_task` keeps two
 * tasks with the same text apart. Throws UnfitMessage where a text is too long.
 */
export function wecomBody(message: Message, { agentId, taskId }: { agentId: number; taskId: string }): WecomBody {
  const given = message.wecom ?? {}
  const msgtype = firstText(given['msgType']) ?? 'text'
  const build = Object.hasOwn(KINDS, msgtype) ? KINDS[msgtype] : undefined
  if (!build) throw new UnfitMessage(`wecom.msgType: must be one of ${Object.keys(KINDS).join(', ')}`)
  const rest = {
    msgtype,
    agentid: agentId,
    [msgtype]: build(message, given),
    safe: numberOf(given['safe']) === 1 ? 1 : 0,
    ...mapFields(given, [['enableIdTrans', 'enable_id_trans', numberOf]]),
    enable_duplicate_check: 1,
    duplicate_check_interval: DUPLICATE_CHECK_SECONDS,
    fanfare_task: taskId,
  }
  return { before: '{"touser":"', after: `",${JSON.stringify(rest).slice(1)}` }
}

/** Text and markdown: `content`, or else title and content of the message on a line each. */
function textOf(message: Message, given: JsonObject): JsonObject {
  const content = firstText(given['content']) ?? linesOf(given['title'], message.title, message.content)
  checkBytes('wecom.content', content, MAX_TEXT_BYTES)
  return { content }
}

const linesOf = (own: unknown, title: string, content: string): string =>
  [typeof own === 'string' && own !== '' ? own : title, content].filter((line) => line !== '').join('\n')

/** A card needs a page to open: `url`, or the click action of the message. */
function cardOf(message: Message, given: JsonObject): JsonObject {
  const title = firstText(given['title'], message.title) ?? ''
  const description = firstText(given['description'], given['content'], message.content) ?? ''
  const url = firstText(given['url'], objectOf(message.config?.['clickAction'])?.['url'])
  checkBytes('wecom.title', title, MAX_CARD_TITLE_BYTES)
  checkBytes('wecom.description', description, MAX_CARD_DESCRIPTION_BYTES)
  if (url === undefined) throw new UnfitMessage('wecom.url: a textcard needs one')
  checkBytes('wecom.url', url, MAX_URL_BYTES)
  return { title, description, url, ...mapFields(given, [['btnTxt', 'btntxt']]) }
}

function checkBytes(field: string, text: string, max: number): void {
  const bytes = Buffer.byteLength(text)
  if (bytes > max) throw new UnfitMessage(`${field}: ${bytes} bytes, ${max} are allowed`)
}
