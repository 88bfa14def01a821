import { type Channel, ChannelError } from '@fanfare/core'
import { optionalSetting } from '../../pushing/opener.ts'

/** Where the app's users are: a channel of one region reaches only these. */
const HOSTS: Readonly<Record<string, string>> = {
  CN: 'https://api.xmpush.xiaomi.com',
  SG: 'https://sgp-api.xmpush.global.xiaomi.com',
  IN: 'https://idmb-api.xmpush.global.xiaomi.com',
  EU: 'https://fr-api.xmpush.global.xiaomi.com',
  RU: 'https://ru-api.xmpush.global.xiaomi.com',
}

export type XiaomiOptions = {
  host: string
  appSecret: string
  packageName: string | undefined
  /** Of channels without one in the message; private messages need an approved channel (27001 otherwise). */
  channelId: string | undefined
}

/** `region` is CN (default), SG, IN, EU or RU; `packageName` and `channelId` are settings of the channel. */
export function readXiaomiOptions(channel: Pick<Channel, 'settings'>, credential: string): XiaomiOptions {
  const region = optionalSetting(channel, 'region')?.toUpperCase() ?? 'CN'
  const host = Object.hasOwn(HOSTS, region) ? HOSTS[region] : undefined
  if (!host) throw new ChannelError(`setting region must be one of ${Object.keys(HOSTS).join(', ')}`)
  const appSecret = credential.trim()
  if (!/^[\x21-\x7e]{1,256}$/.test(appSecret)) throw new ChannelError('the app secret is missing or malformed')
  const packageName = optionalSetting(channel, 'packageName')
  return { host, appSecret, packageName, channelId: optionalSetting(channel, 'channelId') }
}
