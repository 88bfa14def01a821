import type { OnUnknown } from '@fanfare/core'
import { z } from 'zod'
import { pushMessage } from './message.ts'
import { givenUserId, labelName } from './names.ts'

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

export type Common = z.output<typeof toOne>
export type Scheduled = z.output<typeof broadcast>

export const onUnknownOf = (given: Common): OnUnknown => given.onUnknown ?? 'resend'
