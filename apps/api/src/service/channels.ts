import { type App, BusyError, type Channel, ChannelError, PushError } from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { sampled } from '../log.ts'
import { type ChannelChange, type ChannelDraft, idOfUuid, refusedCredential } from '../wire/notifier.ts'

export const fetchChannels = (ctx: ApiContext, app: App): Promise<Channel[]> => ctx.store.channels.ofApp(app.id)

/** Adds a channel; its credential is sealed by the store and never leaves it. */
export async function insertChannel(ctx: ApiContext, app: App, draft: ChannelDraft): Promise<Channel> {
  const { credential: given, ...rest } = draft
  const credential = await proved(ctx, { ...rest, appId: app.id }, given)
  const channel = { ...rest, id: await ctx.ids.next(), appId: app.id }
  if (!(await ctx.store.channels.insert(channel, credential))) {
    throw new PushError('NAME_TAKEN', { what: 'notifier', name: draft.name })
  }
  await changed(ctx, channel.id)
  const [made] = await ctx.store.channels.byIds([channel.id])
  if (!made) throw new PushError('NOT_FOUND', { what: 'notifier' })
  return made
}

/** A channel of this app by its name or its uuid; another app's is not found. */
export async function channelOf(ctx: ApiContext, app: App, nameOrUuid: string): Promise<Channel> {
  const channels = await fetchChannels(ctx, app)
  const id = idOfUuid(nameOrUuid)
  const found = channels.find(({ name }) => name === nameOrUuid) ?? channels.find((channel) => channel.id === id)
  if (!found) throw new PushError('NOT_FOUND', { what: 'notifier' })
  return found
}

export async function updateChannel(ctx: ApiContext, channel: Channel, change: ChannelChange): Promise<Channel> {
  const { credential: given, ...rest } = change
  const credential = given === undefined ? {} : { credential: await proved(ctx, { ...channel, ...rest }, given) }
  const updated = await ctx.store.channels.update(channel.id, { ...rest, ...credential })
  if (!updated) throw new PushError('NOT_FOUND', { what: 'notifier' })
  await changed(ctx, channel.id)
  return updated
}

export async function deleteChannel(ctx: ApiContext, channel: Channel): Promise<void> {
  if (!(await ctx.store.channels.remove(channel.id))) throw new PushError('NOT_FOUND', { what: 'notifier' })
  await changed(ctx, channel.id)
}

type Proved = Parameters<ApiContext['prover']['prove']>[0]

/** The credential as it is kept; what is wrong with it is said to whoever uploads it. */
async function proved(ctx: ApiContext, channel: Proved, credential: string): Promise<string> {
  try {
    return await ctx.prover.prove(channel, credential)
  } catch (error) {
    if (error instanceof BusyError) throw new PushError('REACH_LIMIT', {}, { retryAfterSeconds: 1, cause: error })
    if (!(error instanceof ChannelError)) throw error
    throw new PushError('BAD_PARAMETER', refusedCredential(channel.platform, error.reason), { cause: error })
  }
}

/** Closes the channel's pusher here and hints at it to every other process; who misses the hint sees `updatedAt`. */
async function changed(ctx: ApiContext, channelId: string): Promise<void> {
  ctx.channels.drop(channelId)
  ctx.pushers.drop(channelId)
  try {
    await ctx.hints.publish(channelId)
  } catch (error) {
    sampled(ctx.log, 'hint', { err: String(error) }, 'the hint of a changed channel was not published')
  }
}
