import { type App, type Channel, type Device, PushError } from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { checkToken } from '../wire/binding.ts'

export type Registration = { userId: string; deviceId: string; notifier: string; token: string }

/**
 * Binds a device of a user to a channel; an empty token unbinds it from this channel, an empty notifier from all
 * (docs/wire-api.md §4.1). Answers the bindings of that device afterwards.
 */
export async function registerToken(ctx: ApiContext, app: App, given: Registration): Promise<Device[]> {
  const { userId, deviceId } = given
  if (given.notifier === '') await ctx.store.devices.unbind(app.id, userId, deviceId)
  else {
    const channel = await namedChannel(ctx, app, given.notifier)
    if (given.token === '') await deleteToken(ctx, app, given, channel)
    else await bind(ctx, app, given, channel)
  }
  return (await fetchTokens(ctx, app, userId)).filter((device) => device.deviceId === deviceId)
}

export async function deleteToken(ctx: ApiContext, app: App, given: Registration, channel: Channel): Promise<void> {
  await ctx.store.devices.unbind(app.id, given.userId, given.deviceId, channel.id)
}

/** All live bindings of a user. */
export async function fetchTokens(ctx: ApiContext, app: App, userId: string): Promise<Device[]> {
  const [devices = []] = await ctx.store.devices.ofUsers([{ appId: app.id, userId }])
  return devices
}

/** Rejects with USER_UNKNOWN where nobody of that id was ever bound or labelled. */
export async function requireUser(ctx: ApiContext, app: App, userId: string): Promise<void> {
  const [exists] = await ctx.store.devices.usersExist([{ appId: app.id, userId }])
  if (!exists) throw new PushError('USER_UNKNOWN')
}

async function bind(ctx: ApiContext, app: App, given: Registration, channel: Channel): Promise<void> {
  checkToken(channel.platform, given.token)
  const { userId, deviceId, token } = given
  const id = await ctx.ids.next()
  await ctx.store.devices.bind([{ id, appId: app.id, userId, deviceId, channelId: channel.id, token }])
}

async function namedChannel(ctx: ApiContext, app: App, name: string): Promise<Channel> {
  const channel = (await ctx.store.channels.ofApp(app.id)).find((each) => each.name === name)
  if (!channel) throw new PushError('BINDING_INVALID', { detail: `notifier_name: no notifier ${name}` })
  return channel
}
