import type { KeyObject } from 'node:crypto'
import { type Channel, ChannelError } from '@fanfare/core'
import { readPrivateKey } from '../../credentials/private-key.ts'
import { jsonOf } from '../../http/http.ts'
import { optionalSetting } from '../../pushing/opener.ts'

/** A service account of AppGallery Connect: the JSON file of its console. Signs JWTs that are the access token. */
export type HuaweiAccount = { keyId: string; subAccount: string; privateKey: KeyObject }

export type HuaweiOptions = {
  /** `v1` speaks to Android (HMS), `v3` to HarmonyOS 5; a token of one is refused by the other. */
  api: 'v1' | 'v3'
  /** The app (client) id in the path of v1, the project id in the path of v3. */
  id: string
  credential: { secret: string } | HuaweiAccount
  /** What messages of this channel have unless they say otherwise (docs/wire-api.md §4.3). */
  category: string | undefined
  action: string | undefined
  activityClass: string | undefined
}

const ID = /^[A-Za-z0-9_-]{1,64}$/

/**
 * The channel's name is the app id, `appId` in the settings wins; `apiVersion` 3 (or `v3`) is HarmonyOS and needs a
 * service account, whose project id `projectId` overrides. Any other version is v1, with app secret or service account.
 */
export function readHuaweiOptions(channel: Pick<Channel, 'name' | 'settings'>, credential: string): HuaweiOptions {
  const api = /^v?3$/i.test(optionalSetting(channel, 'apiVersion') ?? '') ? 'v3' : 'v1'
  const json = credential.trimStart().startsWith('{') ? jsonOf(credential) : undefined
  if (api === 'v3' && !json) throw new ChannelError('HarmonyOS (apiVersion 3) needs the JSON of a service account')
  const projectId = optionalSetting(channel, 'projectId') ?? textOr(json?.['project_id'])
  const id = api === 'v3' ? projectId : (optionalSetting(channel, 'appId') ?? channel.name)
  if (!id || !ID.test(id)) throw new ChannelError(`the ${api === 'v3' ? 'project' : 'app'} id is missing or malformed`)
  return {
    api,
    id,
    credential: json ? accountOf(json) : { secret: secretOf(credential) },
    category: optionalSetting(channel, 'category'),
    action: optionalSetting(channel, 'action'),
    activityClass: optionalSetting(channel, 'activityClass'),
  }
}

function secretOf(credential: string): string {
  const secret = credential.trim()
  if (!/^[\x21-\x7e]{1,256}$/.test(secret)) throw new ChannelError('the app secret is missing or malformed')
  return secret
}

function accountOf(json: Record<string, unknown>): HuaweiAccount {
  const [keyId, subAccount] = [textOr(json['key_id']), textOr(json['sub_account'])]
  if (!keyId || !subAccount) throw new ChannelError('the service account has no key_id or no sub_account')
  return { keyId, subAccount, privateKey: readPrivateKey(String(json['private_key']), ['RSA']) }
}

const textOr = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
