import { z } from 'zod'
import type { Scheduled } from '../operations/push-audience.ts'
import { openRoute, type Send } from '../operations/send.ts'
import { pushMessage, toMessage } from './message.ts'
import { givenUserId, labelName } from './names.ts'
import { startDate } from './start-date.ts'
import { routeOf } from './strategy.ts'

/** What every send has (docs/wire-api.md §1.2). `onUnknown` is ours (docs/design.md §2). */
const common = {
  pushMessage,
  strategy: z.int().min(0).max(4).nullish(),
  onUnknown: z.enum(['resend', 'drop']).nullish(),
}
/** What every send that makes a task has; `rate` (members per second) and `canary` are ours. */
export const canary = z.object({
  percent: z.number().gt(0).lt(100),
  maxFailPercent: z.number().min(0).max(100),
})
export const rate = z.number().positive().max(1_000_000)
const scheduled = {
  ...common,
  startDate: z.string().nullish(),
  rate: rate.nullish(),
  canary: canary.nullish(),
}
const MAX_LIST = 10_000
const MAX_LABELS = 20

export const single = z.looseObject({
  ...common,
  targets: z.array(givenUserId).min(1).max(100),
  async: z.boolean().nullish(),
})
export const toOne = z.looseObject(common)
export const list = z.looseObject({ ...scheduled, targets: z.array(givenUserId).min(1).max(MAX_LIST) })
export const label = z.looseObject({ ...scheduled, targets: z.array(labelName).min(1).max(MAX_LABELS) })
export const broadcast = z.looseObject(scheduled)

/** What a server reads texts by: what a Han character counts, and the zone of a `startDate`. */
type Reading = { hanWidth: 1 | 2; zone: string }

/** A route that is not open is said before anything about the message. */
export function toSend(given: z.output<typeof toOne>, { hanWidth }: Reading): Send {
  return {
    route: openRoute(routeOf(given.strategy)),
    message: toMessage(given.pushMessage, hanWidth),
    onUnknown: given.onUnknown ?? 'resend',
  }
}

export function toScheduled(given: z.output<typeof broadcast>, reading: Reading): Scheduled {
  return {
    ...toSend(given, reading),
    startsAt: given.startDate ? startDate(given.startDate, reading.zone) : undefined,
    rate: given.rate ?? undefined,
    canary: given.canary ?? undefined,
  }
}
