import type { ErrorDetails, PlatformName } from '@fanfare/core'
import { settingField } from './notifier.ts'

/** What operations name in our words, as callers wrote it. */
const FIELDS: ReadonlyMap<string, string> = new Map([
  ['audience.labels', 'targets'],
  ['channel.credential', 'certificate'],
  ['device.token', 'device_token'],
  ['idempotencyKey', 'Idempotency-Key'],
  ['task.startsAt', 'startDate'],
])

/** Of a channel: how it is called depends on the platform. */
const SETTING = 'channel.settings.'

/** The field that an error is about, as it is called on the wire. */
export function wireField({ field, platform }: ErrorDetails): string {
  const named = String(field ?? '')
  if (named.startsWith(SETTING)) return settingField(platform as PlatformName, named.slice(SETTING.length))
  return FIELDS.get(named) ?? named
}
