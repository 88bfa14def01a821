import { parse } from '../parse.ts'
import { tenant } from '../route.ts'
import { pushLabels } from '../service/push-labels.ts'
import { label } from '../wire/push.ts'

/** wire-api.md §1.1, 4: users that have all of the labels. */
export const pushListLabel = tenant('POST', '/push/list/label', 'json', (ctx, call) =>
  pushLabels(ctx, call, parse(label, call.body)),
)
