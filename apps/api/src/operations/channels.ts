import { isDeepStrictEqual } from 'node:util'
import {
  APP_DEFAULTS,
  type App,
  BusyError,
  type Channel,
  type ChannelAccount,
  ChannelError,
  PushError,
  SealError,
} from '@fanfare/core'
import { checkIdentity } from '@fanfare/platforms'
import type { ApiContext } from '../context.ts'
import { sampled } from '../log.ts'
import { type ChannelChange, type ChannelDraft, idOfUuid, refusedCredential } from '../wire/notifier.ts'

export const fetchChannels = (ctx: ApiContext, app: App): Promise<Channel[]> => ctx.store.channels.ofApp(app.id)

/** Adds a channel; its credential is sealed by the store and never leaves it. */
export async function insertChannel(ctx: ApiContext, app: App, draft: ChannelDraft): Promise<Channel> {
  const { credential: given, ...rest } = draft
  const credential = await proved(ctx, { ...rest, appId: app.id }, given)
  checkSettings(rest, credential)
  const account = ctx.accounts.own({ ...rest, appId: app.id }, credential)
  const channel = { ...rest, id: await ctx.ids.next(), appId: app.id, account }
  const most = app.settings.maxNotifiers ?? APP_DEFAULTS.maxNotifiers
  const inserted = await ctx.store.channels.insert(channel, credential, most)
  if (inserted === 'full') throw new PushError('LIMIT', { detail: `the app has ${most} notifiers (maxNotifiers)` })
  if (!inserted) {
    throw new PushError('NAME_TAKEN', { what: 'notifier', name: draft.name })
  }
  await ctx.accounts.settle(channel.platform, account.id)
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
  const kept = given === undefined ? {} : { credential: await proved(ctx, { ...channel, ...rest }, given) }
  const account = await changedAccount(ctx, channel, { ...rest, ...kept })
  const updated = await ctx.store.channels.update(channel.id, { ...rest, ...kept, ...(account && { account }) })
  if (!updated) throw new PushError('NOT_FOUND', { what: 'notifier' })
  if (account) await settleAll(ctx, channel, account.id)
  await changed(ctx, channel.id)
  return updated
}

/** Undefined where nothing changes that says whose limit it counts against. */
async function changedAccount(
  ctx: ApiContext,
  channel: Channel,
  change: ChannelChange,
): Promise<ChannelAccount | undefined> {
  const settings = change.settings ?? channel.settings
  if (change.credential === undefined && isDeepStrictEqual(settings, channel.settings)) return undefined
  const credential = change.credential ?? (await storedCredential(ctx, channel))
  if (credential === undefined) return undefined
  checkSettings({ ...channel, settings }, credential)
  return ctx.accounts.changed(channel, { settings }, credential)
}

/** One that does not open says nothing: its pushes fail for another reason. */
async function storedCredential(ctx: ApiContext, { id }: Channel): Promise<string | undefined> {
  try {
    return await ctx.store.channels.credential(id)
  } catch (error) {
    if (error instanceof SealError) return undefined
    throw error
  }
}

/** What the credential says by itself no setting may contradict. */
function checkSettings(channel: Pick<Channel, 'platform' | 'name' | 'settings'>, credential: string): void {
  try {
    checkIdentity(channel, credential)
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error
    throw new PushError('BAD_PARAMETER', refusedCredential(channel.platform, error.reason), { cause: error })
  }
}

/** Who shared the account before may be alone now, and the other way round. */
async function settleAll(ctx: ApiContext, { platform, account }: Channel, ...ids: string[]): Promise<void> {
  const all = new Set(account ? [account.id, ...ids] : ids)
  for (const id of all) await ctx.accounts.settle(platform, id)
}

export async function deleteChannel(ctx: ApiContext, channel: Channel): Promise<void> {
  if (!(await ctx.store.channels.remove(channel.id))) throw new PushError('NOT_FOUND', { what: 'notifier' })
  await settleAll(ctx, channel)
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
