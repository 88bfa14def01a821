import type { ErrorDetails } from '@fanfare/core'

/** What operations name in our words, as callers wrote it. */
const FIELDS: ReadonlyMap<string, string> = new Map([
  ['audience.labels', 'targets'],
  ['device.channel', 'notifier_name'],
  ['device.token', 'device_token'],
  ['idempotencyKey', 'Idempotency-Key'],
  ['task.startsAt', 'startDate'],
])

/** The field that an error is about, as it is called on the wire. */
export function wireField({ field }: ErrorDetails): string {
  const named = String(field ?? '')
  return FIELDS.get(named) ?? named
}
