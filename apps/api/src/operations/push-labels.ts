import { APP_DEFAULTS, PushError } from '@fanfare/core'
import type { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { bare } from '../http/reply.ts'
import type { Answer, TenantCall } from '../http/route.ts'
import type { label } from '../wire/push.ts'
import { pushAudience } from './tasks.ts'

/** A task for the intersection of existing labels; a repeated label counts once. */
export async function pushLabels(ctx: ApiContext, call: TenantCall, given: z.output<typeof label>): Promise<Answer> {
  const names = [...new Set(given.targets)]
  const max = call.app.settings.maxLabelsPerPush ?? APP_DEFAULTS.maxLabelsPerPush
  if (names.length > max) throw new PushError('BAD_PARAMETER', { field: 'targets', detail: `at most ${max} labels` })
  const labels = await ctx.store.labels.byNames(call.app.id, names)
  const missing = names.find((_, index) => labels[index] === undefined)
  if (missing !== undefined) throw new PushError('LABEL_UNKNOWN', { label: missing })
  const of = { kind: 'labels', allOf: names } as const
  return pushAudience(ctx, call, given, { of, answer: (id) => ({ taskId: bare(id) }) })
}
