import { data } from '../http/reply.ts'
import { tenant } from '../http/route.ts'
import { deleteLabel, insertLabel, labelOf } from '../operations/labels.ts'
import { createdView, labelView, newLabel } from '../wire/label.ts'
import { pathLabel } from '../wire/names.ts'
import { cursorPage, fromCursor, toCursor } from '../wire/page.ts'
import { parse, parseQuery } from '../wire/parse.ts'

/** docs/wire-api.md §3. */
export const postLabel = tenant('POST', '/push/label', 'json', async (ctx, call) => {
  const { name, description } = parse(newLabel, call.body)
  return data(call, createdView(await insertLabel(ctx, call.app, { name, description: description ?? '' })))
})

export const getLabels = tenant('GET', '/push/label', 'none', async (ctx, call) => {
  const { limit, cursor } = parseQuery(cursorPage, call.query)
  const page = await ctx.store.labels.page(call.app.id, limit, fromCursor(cursor))
  return data(call, page.labels.map(labelView), page.cursor === undefined ? {} : { cursor: toCursor(page.cursor) })
})

export const getLabel = tenant('GET', '/push/label/:label', 'none', async (ctx, call) =>
  data(call, labelView(await labelOf(ctx, call.app, parse(pathLabel, call.params).label))),
)

export const removeLabel = tenant('DELETE', '/push/label/:label', 'none', async (ctx, call) => {
  await deleteLabel(ctx, call.app, parse(pathLabel, call.params).label)
  return data(call, 'success')
})
