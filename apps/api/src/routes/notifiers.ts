import { notifierEntities } from '../http/reply.ts'
import { tenant } from '../http/route.ts'
import { deleteChannel, fetchChannel, fetchChannels, insertChannel, updateChannel } from '../operations/channels.ts'
import { changedNotifier, newNotifier, notifierView, pathNotifier, toChange, toDraft } from '../wire/notifier.ts'
import { parse } from '../wire/parse.ts'

/** docs/wire-api.md §4.3; the certificate goes in and never comes out. */
export const getNotifiers = tenant('GET', '/notifiers', 'none', async (ctx, call) =>
  notifierEntities(call, (await fetchChannels(ctx, call.app)).map(notifierView)),
)

export const postNotifiers = tenant('POST', '/notifiers', 'json', async (ctx, call) => {
  const draft = toDraft(parse(newNotifier, call.body))
  return notifierEntities(call, [notifierView(await insertChannel(ctx, call.app, draft))])
})

export const getNotifier = tenant('GET', '/notifiers/:notifier', 'none', async (ctx, call) =>
  notifierEntities(call, [notifierView(await fetchChannel(ctx, call.app, pathNotifier(call.params)))]),
)

/** Ours: limits, settings, certificate, on and off; `{"disabled":false}` resumes what the breaker paused. */
export const patchNotifier = tenant('PATCH', '/notifiers/:notifier', 'json', async (ctx, call) => {
  const given = parse(changedNotifier, call.body)
  const channel = await fetchChannel(ctx, call.app, pathNotifier(call.params))
  const change = toChange(channel.platform, given)
  return notifierEntities(call, [notifierView(await updateChannel(ctx, channel, change))])
})

export const deleteNotifier = tenant('DELETE', '/notifiers/:notifier', 'none', async (ctx, call) => {
  const channel = await fetchChannel(ctx, call.app, pathNotifier(call.params))
  await deleteChannel(ctx, channel)
  return notifierEntities(call, [notifierView(channel)])
})

/** Ours: the same as PATCH `{"disabled":false}`. */
export const postNotifierResume = tenant('POST', '/notifiers/:notifier/resume', 'any', async (ctx, call) => {
  const channel = await fetchChannel(ctx, call.app, pathNotifier(call.params))
  return notifierEntities(call, [notifierView(await updateChannel(ctx, channel, { disabled: false }))])
})
