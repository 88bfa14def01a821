import { type Channel, type Device, PushError } from '@fanfare/core'
import { z } from 'zod'
import type { Registration } from '../operations/devices.ts'
import { NOTIFIER_NAME } from './names.ts'
import { parse, type Wrong } from './parse.ts'

const text = z.string()

/**
 * `PUT /users/{u}/push/binding` (docs/wire-api.md §4.1): all three are required, an empty token or notifier is none.
 */
export const binding = z.looseObject({ device_id: text, notifier_name: text, device_token: text })

const DEVICE_ID = /^[\x21-\x7e]{1,128}$/
const VISIBLE = /^[\x21-\x7e]{1,4096}$/

/** The fields of a binding; throws BINDING_INVALID in the words of docs/wire-api.md §4.1. */
export function toBinding(body: unknown): Omit<Registration, 'userId'> {
  const given = parse(binding, body, invalid)
  const { device_id: deviceId, notifier_name: channelName, device_token: token } = given
  check('device_id', DEVICE_ID.test(deviceId), 'must be 1 to 128 visible ASCII characters')
  check('notifier_name', channelName === '' || NOTIFIER_NAME.test(channelName), 'is no name of a notifier')
  check('device_token', token === '' || VISIBLE.test(token), 'must be 1 to 4096 visible ASCII characters')
  return { deviceId, ...(channelName !== '' && { channelName }), ...(token !== '' && { token }) }
}

const invalid = (wrong: Wrong): PushError => new PushError('BINDING_INVALID', wrong)

function check(field: string, ok: boolean, detail: string): void {
  if (!ok) throw invalid({ field, detail })
}

/** Devices as the wire shows them: the notifier by its name. */
export function bindingViews(devices: readonly Device[], channels: readonly Channel[]) {
  const names = new Map(channels.map(({ id, name }) => [id, name]))
  return devices.map(({ deviceId, token, channelId }) => ({
    device_id: deviceId,
    device_token: token,
    notifier_name: names.get(channelId) ?? '',
  }))
}
