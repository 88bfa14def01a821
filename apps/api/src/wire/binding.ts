import { type Channel, type Device, type PlatformName, PushError } from '@fanfare/core'
import { z } from 'zod'
import { NOTIFIER_NAME } from './names.ts'
import { parse } from './parse.ts'

const text = z.string()

/** `PUT /users/{u}/push/binding` (docs/wire-api.md §4.1): all three are required, token and notifier may be empty. */
export const binding = z.looseObject({ device_id: text, notifier_name: text, device_token: text })

const DEVICE_ID = /^[\x21-\x7e]{1,128}$/
const VISIBLE = /^[\x21-\x7e]{1,4096}$/
const APNS = /^[0-9a-fA-F]{64,200}$/
/** One addr-spec (RFC 5321 limits): no lists, no comments, no quoting (docs/reliability.md T97). */
const ADDRESS =
  /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?)*$/
const WECOM_USER = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/

export type Given = { deviceId: string; notifier: string; token: string }

/** The fields of a binding; throws BINDING_INVALID in the words of docs/wire-api.md §4.1. */
export function toBinding(body: unknown): Given {
  const given = parse(binding, body, ({ field, detail }) => invalid(`${field}: ${detail}`))
  const { device_id: deviceId, notifier_name: notifier, device_token: token } = given
  if (!DEVICE_ID.test(deviceId)) throw invalid('device_id: must be 1 to 128 visible ASCII characters')
  if (notifier !== '' && !NOTIFIER_NAME.test(notifier)) throw invalid('notifier_name: is no name of a notifier')
  if (token !== '' && !VISIBLE.test(token)) throw invalid('device_token: must be 1 to 4096 visible ASCII characters')
  return { deviceId, notifier, token }
}

/** Tokens must look as their vendor makes them, before they reach a path, a header or an envelope. */
export function checkToken(platform: PlatformName, token: string): void {
  if (platform === 'apns' && !APNS.test(token)) throw invalid('device_token: must be 64 to 200 hex digits')
  if (platform === 'email' && !(token.length <= 254 && ADDRESS.test(token))) {
    throw invalid('device_token: must be one e-mail address')
  }
  if (platform === 'wecom' && !WECOM_USER.test(token)) throw invalid('device_token: must be one WeCom user id')
  // Xiaomi joins tokens with commas, WeCom with bars.
  if (platform === 'xiaomi' && token.includes(',')) throw invalid('device_token: must not contain a comma')
}

const invalid = (detail: string): PushError => new PushError('BINDING_INVALID', { detail })

/** Devices as the wire shows them: the notifier by its name. */
export function bindingViews(devices: readonly Device[], channels: readonly Channel[]) {
  const names = new Map(channels.map(({ id, name }) => [id, name]))
  return devices.map(({ deviceId, token, channelId }) => ({
    device_id: deviceId,
    device_token: token,
    notifier_name: names.get(channelId) ?? '',
  }))
}
