import { type JsonObject, type JsonValue, PushError } from '@fanfare/core'

/** Fields that are numbers although clients also send them as strings of digits (docs/wire-api.md §7.14). */
const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  config: ['badge.addNum', 'badge.setNum'],
  apns: ['invalidationTime', 'priority', 'badge', 'timestamp', 'dismissalDate', 'staleDate'],
  xiaomi: ['passThrough', 'notifyType', 'timeToLive', 'timeToSend', 'notifyId'],
  huawei: [
    'message.android.fastAppTargetType',
    'message.android.targetUserType',
    'message.android.notification.style',
    'message.android.notification.notifyId',
    'message.android.notification.autoClear',
    'message.android.notification.clickAction.type',
    'message.android.notification.badge.addNum',
    'message.android.notification.badge.setNum',
  ],
  harmonyOS: ['pushType', 'style', 'notifyId', 'addNum', 'setNum', 'actionType'],
  wecom: ['agentId'],
  online: [
    'operation.type',
    'channelLevel',
    'autoCancel',
    'expiresTime',
    'sound',
    'vibrate',
    'style',
    'id',
    'badge.addNum',
    'badge.setNum',
  ],
}
const WHOLE = /^-?\d{1,15}$/

/** The object with strings of digits made numbers at the known fields; anything else there is refused by name. */
export function toNumbers(name: string, given: JsonObject, path: string): JsonObject {
  let found = given
  for (const field of NUMBERS[name] ?? []) found = withNumber(found, field.split('.'), `${path}.${field}`)
  return found
}

function withNumber(object: JsonObject, [key = '', ...rest]: readonly string[], field: string): JsonObject {
  const value = object[key]
  if (value === undefined || value === null) return object
  if (rest.length > 0) {
    if (typeof value !== 'object' || Array.isArray(value))
      throw wrong(field.slice(0, -rest.join('.').length - 1), 'object')
    const inner = withNumber(value, rest, field)
    return inner === value ? object : { ...object, [key]: inner }
  }
  const number = numberOf(value, field)
  return number === value ? object : { ...object, [key]: number }
}

function numberOf(value: JsonValue, field: string): number {
  if (typeof value === 'number') return value
  if (typeof value === 'string' && WHOLE.test(value)) return Number(value)
  throw wrong(field, 'number')
}

const wrong = (field: string, kind: string): PushError =>
  new PushError('BAD_MESSAGE', { field, detail: `expected ${kind}` })
