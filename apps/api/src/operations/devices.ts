import { type App, type Channel, type Device, type PlatformName, PushError } from '@fanfare/core'
import type { ApiContext } from '../context.ts'

/** Without a token the device is unbound from that channel, without a channel from all. */
export type Registration = { userId: string; deviceId: string; channelName?: string; token?: string }

/** Binds a device of a user to a channel, or unbinds it. Answers the bindings of that device afterwards. */
export async function registerToken(ctx: ApiContext, app: App, given: Registration): Promise<Device[]> {
  const { userId, deviceId, channelName, token } = given
  if (channelName === undefined) await ctx.store.devices.unbind(app.id, userId, deviceId)
  else {
    const channel = await namedChannel(ctx, app, channelName)
    if (token === undefined) await ctx.store.devices.unbind(app.id, userId, deviceId, channel.id)
    else await bind(ctx, channel, { userId, deviceId, token })
  }
  return (await devicesOf(ctx, app, userId)).filter((device) => device.deviceId === deviceId)
}

/** All live bindings of a user; USER_UNKNOWN where nobody of that id was ever bound or labelled. */
export async function fetchTokens(ctx: ApiContext, app: App, userId: string): Promise<Device[]> {
  const [exists] = await ctx.store.devices.usersExist([{ appId: app.id, userId }])
  if (!exists) throw new PushError('USER_UNKNOWN')
  return devicesOf(ctx, app, userId)
}

async function devicesOf(ctx: ApiContext, app: App, userId: string): Promise<Device[]> {
  const [devices = []] = await ctx.store.devices.ofUsers([{ appId: app.id, userId }])
  return devices
}

type Bound = { userId: string; deviceId: string; token: string }

async function bind(ctx: ApiContext, channel: Channel, { userId, deviceId, token }: Bound): Promise<void> {
  checkToken(channel.platform, token)
  const id = await ctx.ids.next()
  await ctx.store.devices.bind([{ id, appId: channel.appId, userId, deviceId, channelId: channel.id, token }])
}

async function namedChannel(ctx: ApiContext, app: App, name: string): Promise<Channel> {
  const channel = (await ctx.store.channels.ofApp(app.id)).find((each) => each.name === name)
  if (!channel) throw new PushError('CHANNEL_UNKNOWN', { channel: name })
  return channel
}

const APNS = /^[0-9a-fA-F]{64,200}$/
/** One addr-spec (RFC 5321 limits): no lists, no comments, no quoting (docs/reliability.md T97). */
const ADDRESS =
  /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?)*$/
const WECOM_USER = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/

/** Tokens must look as their vendor makes them, before they reach a path, a header or an envelope. */
function checkToken(platform: PlatformName, token: string): void {
  if (platform === 'apns' && !APNS.test(token)) throw badToken('must be 64 to 200 hex digits')
  if (platform === 'email' && !(token.length <= 254 && ADDRESS.test(token)))
    throw badToken('must be one e-mail address')
  if (platform === 'wecom' && !WECOM_USER.test(token)) throw badToken('must be one WeCom user id')
  // Xiaomi joins tokens with commas, WeCom with bars.
  if (platform === 'xiaomi' && token.includes(',')) throw badToken('must not contain a comma')
}

const badToken = (detail: string): PushError => new PushError('BINDING_INVALID', { field: 'device.token', detail })
