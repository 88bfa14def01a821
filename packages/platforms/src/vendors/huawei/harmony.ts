import type { JsonObject, JsonValue, Message } from '@fanfare/core'
import { defined, ePushOf, firstText, mapFields, numberOf, objectOf, unlessEmpty } from '../../pushing/fields.ts'
import { UnfitMessage } from '../../pushing/unfit.ts'
import {
  HARMONY_BADGE,
  HARMONY_CLICK,
  HARMONY_NOTIFICATION,
  HARMONY_OPTIONS,
  MAX_TTL_SECONDS,
  textsOfValue,
} from './fields.ts'
import { checkBytes, checkCount, cutAt, type HuaweiContext, type Splice } from './payload.ts'

/** `pushType` of v3 travels in a header. */
export type HarmonyBody = Splice & { pushType: number }

const PUSH_TYPES = new Set([0, 1, 2, 6, 7, 10])

/**
 * The body of v3 (`/v3/{projectId}/messages:send`, HarmonyOS 5). Types other than 0 (alert) take `payload` as it is
 * given. Throws UnfitMessage where a limit is exceeded.
 */
export function harmonyBody(message: Message, context: HuaweiContext): HarmonyBody {
  const given = message.harmonyOS ?? {}
  const pushType = numberOf(given['pushType'] ?? 0) ?? -1
  if (!PUSH_TYPES.has(pushType)) throw new UnfitMessage('harmonyOS.pushType: must be 0, 1, 2, 6, 7 or 10')
  checkCount('harmonyOS.inboxContent', given['inboxContent'], 3)
  const seconds = Math.max(1, Math.min(Math.round(context.ttlMs / 1000), MAX_TTL_SECONDS))
  const body = {
    target: {},
    payload: pushType === 0 ? { notification: notificationOf(message, given, context) } : payloadOf(given),
    pushOptions: { ttl: seconds, ...mapFields(given, HARMONY_OPTIONS) },
  }
  const splice = cutAt(body, 'target', 'token')
  checkBytes(splice)
  return { ...splice, pushType }
}

function notificationOf(message: Message, given: JsonObject, context: HuaweiContext): JsonObject {
  return defined({
    category: context.category ?? 'IM',
    title: message.title,
    body: message.content,
    clickAction: clickOf(message, given, context),
    badge: unlessEmpty({
      ...mapFields(objectOf(message.config?.['badge']), HARMONY_BADGE),
      ...mapFields(given, HARMONY_BADGE),
    }),
    ...mapFields(given, HARMONY_NOTIFICATION),
  })
}

/** The app's start page unless an action or uri is given; `data` reaches the app with the click. */
function clickOf(message: Message, given: JsonObject, context: HuaweiContext): JsonObject {
  const click = objectOf(message.config?.['clickAction'])
  const action = firstText(click?.['action'], click?.['activity'], context.action)
  const uri = firstText(click?.['url'])
  const EPush = JSON.stringify(ePushOf('HARMONYOSPUSH', context.taskId))
  return {
    actionType: action === undefined && uri === undefined ? 0 : 1,
    ...defined({ action, uri }),
    ...mapFields(given, HARMONY_CLICK),
    data: { ...textsOfValue(message.ext), ...textsOfValue(given['data']), EPush },
  }
}

/** An object, or one written as text. */
function payloadOf(given: JsonObject): JsonObject {
  const value = given['payload'] ?? null
  const payload = typeof value === 'string' ? parsed(value) : objectOf(value)
  if (!payload) throw new UnfitMessage('harmonyOS.payload: must be an object where pushType is not 0')
  return payload
}

function parsed(text: string): JsonObject | undefined {
  try {
    return objectOf(JSON.parse(text) as JsonValue)
  } catch {
    return undefined
  }
}
