import { tenant } from '../http/route.ts'
import { pushLabels } from '../operations/push-labels.ts'
import { parse } from '../wire/parse.ts'
import { label } from '../wire/push.ts'

/** docs/wire-api.md §1.1: users that have all of the labels. */
export const pushListLabel = tenant('POST', '/push/list/label', 'json', (ctx, call) =>
  pushLabels(ctx, call, parse(label, call.body)),
)
