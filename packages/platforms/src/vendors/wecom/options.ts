import { type Channel, ChannelError } from '@fanfare/core'
import { settingOf } from '../../pushing/opener.ts'

export type WecomOptions = { corpId: string; agentId: number; secret: string }

/** `corpId` and `agentId` are settings of the channel, the agent's secret is its credential. */
export function readWecomOptions(channel: Pick<Channel, 'settings'>, credential: string): WecomOptions {
  const corpId = settingOf(channel, 'corpId')
  const agentId = Number(settingOf(channel, 'agentId'))
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(corpId)) throw new ChannelError('setting corpId is malformed')
  if (!Number.isSafeInteger(agentId) || agentId < 0) throw new ChannelError('setting agentId must be a whole number')
  const secret = credential.trim()
  if (!/^[\x21-\x7e]{1,256}$/.test(secret)) throw new ChannelError('the corp secret is missing or malformed')
  return { corpId, agentId, secret }
}
