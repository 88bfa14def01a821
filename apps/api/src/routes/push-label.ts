import { data } from '../http/reply.ts'
import { tenant } from '../http/route.ts'
import { deleteLabel, fetchLabel, fetchLabels, insertLabel } from '../operations/labels.ts'
import { createdView, labelView, newLabel } from '../wire/label.ts'
import { pathLabel } from '../wire/names.ts'
import { cursorPage, fromCursor, nextCursor } from '../wire/page.ts'
import { parse, parseQuery } from '../wire/parse.ts'

/** docs/wire-api.md §3. */
export const postLabel = tenant('POST', '/push/label', 'json', async (ctx, call) => {
  const { name, description } = parse(newLabel, call.body)
  return data(call, createdView(await insertLabel(ctx, call.app, { name, description: description ?? '' })))
})

export const getLabels = tenant('GET', '/push/label', 'none', async (ctx, call) => {
  const { limit, cursor } = parseQuery(cursorPage, call.query)
  const page = await fetchLabels(ctx, call.app, { limit, after: fromCursor(cursor) })
  return data(call, page.labels.map(labelView), nextCursor(page))
})

export const getLabel = tenant('GET', '/push/label/:label', 'none', async (ctx, call) =>
  data(call, labelView(await fetchLabel(ctx, call.app, parse(pathLabel, call.params).label))),
)

export const removeLabel = tenant('DELETE', '/push/label/:label', 'none', async (ctx, call) => {
  await deleteLabel(ctx, call.app, parse(pathLabel, call.params).label)
  return data(call, 'success')
})
