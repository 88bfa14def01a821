import { data } from '../http/reply.ts'
import { tenant } from '../http/route.ts'
import { labelOf, removeUsers } from '../operations/labels.ts'
import { memberView, usernames } from '../wire/label.ts'
import { pathLabel, pathUsername } from '../wire/names.ts'
import { cursorPage, fromCursor, toCursor } from '../wire/page.ts'
import { parse, parseQuery } from '../wire/parse.ts'

/** docs/wire-api.md §3. A user need not be bound: membership makes the user exist. */
export const postLabelUsers = tenant('POST', '/push/label/:label/user', 'json', async (ctx, call) => {
  const users = [...new Set(parse(usernames, call.body).usernames)]
  const label = await labelOf(ctx, call.app, parse(pathLabel, call.params).label)
  await ctx.store.labels.addUsers(label.id, users)
  return data(call, { success: users, fail: {} })
})

export const getLabelUsers = tenant('GET', '/push/label/:label/user', 'none', async (ctx, call) => {
  const { limit, cursor } = parseQuery(cursorPage, call.query)
  const label = await labelOf(ctx, call.app, parse(pathLabel, call.params).label)
  const page = await ctx.store.labels.members(label.id, limit, fromCursor(cursor))
  return data(call, page.members.map(memberView), page.cursor === undefined ? {} : { cursor: toCursor(page.cursor) })
})

export const deleteLabelUsers = tenant('DELETE', '/push/label/:label/user', 'json', async (ctx, call) => {
  const users = [...new Set(parse(usernames, call.body).usernames)]
  const label = await labelOf(ctx, call.app, parse(pathLabel, call.params).label)
  return data(call, await removeUsers(ctx, label, users))
})

/** Of a user that is no member the fields are not returned. */
export const getLabelUser = tenant('GET', '/push/label/:label/user/:username', 'none', async (ctx, call) => {
  const { username } = parse(pathUsername, call.params)
  const label = await labelOf(ctx, call.app, parse(pathLabel, call.params).label)
  const member = await ctx.store.labels.member(label.id, username)
  return data(call, member ? memberView(member) : {})
})
