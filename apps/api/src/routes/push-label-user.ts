import { data } from '../http/reply.ts'
import { tenant } from '../http/route.ts'
import { addToLabel, fetchLabel, fetchMember, fetchMembers, removeFromLabel } from '../operations/labels.ts'
import { memberView, removedView, usernames } from '../wire/label.ts'
import { pathLabel, pathUsername } from '../wire/names.ts'
import { cursorPage, fromCursor, nextCursor } from '../wire/page.ts'
import { parse, parseQuery } from '../wire/parse.ts'

/** docs/wire-api.md §3. */
export const postLabelUsers = tenant('POST', '/push/label/:label/user', 'json', async (ctx, call) => {
  const { usernames: userIds } = parse(usernames, call.body)
  const label = await fetchLabel(ctx, call.app, parse(pathLabel, call.params).label)
  return data(call, { success: await addToLabel(ctx, label, userIds), fail: {} })
})

export const getLabelUsers = tenant('GET', '/push/label/:label/user', 'none', async (ctx, call) => {
  const { limit, cursor } = parseQuery(cursorPage, call.query)
  const label = await fetchLabel(ctx, call.app, parse(pathLabel, call.params).label)
  const page = await fetchMembers(ctx, label, { limit, after: fromCursor(cursor) })
  return data(call, page.members.map(memberView), nextCursor(page))
})

export const deleteLabelUsers = tenant('DELETE', '/push/label/:label/user', 'json', async (ctx, call) => {
  const { usernames: userIds } = parse(usernames, call.body)
  const label = await fetchLabel(ctx, call.app, parse(pathLabel, call.params).label)
  return data(call, removedView(await removeFromLabel(ctx, label, userIds)))
})

/** Of a user that is no member the fields are not returned. */
export const getLabelUser = tenant('GET', '/push/label/:label/user/:username', 'none', async (ctx, call) => {
  const { username } = parse(pathUsername, call.params)
  const label = await fetchLabel(ctx, call.app, parse(pathLabel, call.params).label)
  const member = await fetchMember(ctx, label, username)
  return data(call, member ? memberView(member) : {})
})
