import { isDeepStrictEqual } from 'node:util'
import {
  APP_DEFAULTS,
  type App,
  BusyError,
  type Channel,
  type ChannelAccount,
  ChannelError,
  type ChannelSettings,
  PushError,
  SealError,
} from '@fanfare/core'
import { checkIdentity } from '@fanfare/platforms'
import type { ApiContext } from '../context.ts'
import { sampled } from '../log.ts'
import { checkAddress } from './addresses.ts'
import { type ChannelChange, type ChannelDraft, changed, drafted, refusedCredential } from './channel-change.ts'

export const fetchChannels = (ctx: ApiContext, app: App): Promise<Channel[]> => ctx.store.channels.ofApp(app.id)

/** Adds a channel; its credential is sealed by the store and never leaves it. */
export async function insertChannel(ctx: ApiContext, app: App, draft: ChannelDraft): Promise<Channel> {
  const made = { ...drafted(draft), appId: app.id }
  await checkAddress(ctx, made)
  const credential = await proved(ctx, made, draft.credential)
  checkSettings(made, credential)
  const account = ctx.accounts.own(made, credential)
  const channel = { ...made, id: await ctx.ids.next(), account }
  const most = app.settings.maxNotifiers ?? APP_DEFAULTS.maxNotifiers
  const inserted = await ctx.store.channels.insert(channel, credential, most)
  if (inserted === 'full') throw new PushError('LIMIT', { detail: `the app has ${most} notifiers (maxNotifiers)` })
  if (!inserted) {
    throw new PushError('NAME_TAKEN', { what: 'channel', name: draft.name })
  }
  await ctx.accounts.settle(channel.platform, account.id)
  await tell(ctx, channel.id)
  const [kept] = await ctx.store.channels.byIds([channel.id])
  if (!kept) throw new PushError('NOT_FOUND', { what: 'channel' })
  return kept
}

/** By its name; by its id where no channel has that name. */
export type ChannelRef = { name: string; id: string | undefined }

/** A channel of this app; another app's is not found. */
export async function fetchChannel(ctx: ApiContext, app: App, { name, id }: ChannelRef): Promise<Channel> {
  const channels = await fetchChannels(ctx, app)
  const found = channels.find((channel) => channel.name === name) ?? channels.find((channel) => channel.id === id)
  if (!found) throw new PushError('NOT_FOUND', { what: 'channel' })
  return found
}

export async function updateChannel(ctx: ApiContext, channel: Channel, change: ChannelChange): Promise<Channel> {
  const wanted = changed(channel, change)
  if (namesServer(change)) await checkAddress(ctx, { ...channel, ...wanted })
  const { credential: given } = change
  const kept = given === undefined ? {} : { credential: await proved(ctx, { ...channel, ...wanted }, given) }
  const account = await changedAccount(ctx, channel, { ...wanted, ...kept })
  const updated = await ctx.store.channels.update(channel.id, { ...wanted, ...kept, ...(account && { account }) })
  if (!updated) throw new PushError('NOT_FOUND', { what: 'channel' })
  if (account) await settleAll(ctx, channel, account.id)
  await tell(ctx, channel.id)
  return updated
}

/** Whether it says where mails are handed over. */
const namesServer = ({ settings = {} }: ChannelChange): boolean =>
  Object.keys(settings).some((name) => name !== 'environment' && name !== 'packageName')

/** Undefined where nothing changes that says whose limit it counts against. */
async function changedAccount(
  ctx: ApiContext,
  channel: Channel,
  change: { settings?: ChannelSettings; credential?: string },
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
    throw refusedCredential(channel.platform, error.reason, error)
  }
}

/** Who shared the account before may be alone now, and the other way round. */
async function settleAll(ctx: ApiContext, { platform, account }: Channel, ...ids: string[]): Promise<void> {
  const all = new Set(account ? [account.id, ...ids] : ids)
  for (const id of all) await ctx.accounts.settle(platform, id)
}

export async function deleteChannel(ctx: ApiContext, channel: Channel): Promise<void> {
  if (!(await ctx.store.channels.remove(channel.id))) throw new PushError('NOT_FOUND', { what: 'channel' })
  await settleAll(ctx, channel)
  await tell(ctx, channel.id)
}

type Proved = Parameters<ApiContext['prover']['prove']>[0]

/** The credential as it is kept; what is wrong with it is said to whoever uploads it. */
async function proved(ctx: ApiContext, channel: Proved, credential: string): Promise<string> {
  try {
    return await ctx.prover.prove(channel, credential)
  } catch (error) {
    if (error instanceof BusyError) throw new PushError('REACH_LIMIT', {}, { retryAfterSeconds: 1, cause: error })
    if (!(error instanceof ChannelError)) throw error
    throw refusedCredential(channel.platform, error.reason, error)
  }
}

/** Closes the channel's pusher here and hints at it to every other process; who misses the hint sees `updatedAt`. */
async function tell(ctx: ApiContext, channelId: string): Promise<void> {
  ctx.channels.drop(channelId)
  ctx.pushers.drop(channelId)
  try {
    await ctx.hints.publish(channelId)
  } catch (error) {
    sampled(ctx.log, 'hint', { err: String(error) }, 'the hint of a changed channel was not published')
  }
}
