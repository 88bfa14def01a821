import { BusyError, ChannelError } from '@fanfare/core'
import { type FreshToken, TokenProvider } from '../../access/access-token.ts'
import { at, HttpError, jsonOf } from '../../http/http.ts'
import type { OpenContext } from '../../pushing/opener.ts'
import type { WecomOptions } from './options.ts'
import { errcodeOf } from './verdicts.ts'

const TOKEN_URL = 'https://qyapi.weixin.qq.com/cgi-bin/gettoken'
const FREQUENCY_MS = 60_000

/** The access token of a corp's agent, renewed 5 min early; WeCom punishes whoever asks often, so the fleet shares it. */
export function wecomTokens(context: OpenContext, options: WecomOptions): TokenProvider {
  return new TokenProvider({
    redis: context.redis,
    log: context.log,
    name: `wecom:${options.corpId}:${options.agentId}`,
    credential: context.credential,
    proof: context.channel.account?.proof,
    earlyMs: 5 * 60_000,
    fetch: () => fetchToken(context, options),
  })
}

/** The secret travels in the URL, as WeCom wants it; URLs are never logged. */
async function fetchToken(context: OpenContext, { corpId, secret }: WecomOptions): Promise<FreshToken> {
  const query = new URLSearchParams({ corpid: corpId, corpsecret: secret })
  const answer = await context.http.send({ method: 'GET', url: at(context.vendorUrl, `${TOKEN_URL}?${query}`) })
  const json = jsonOf(answer.text)
  const { access_token: value, expires_in: seconds } = json ?? {}
  const code = errcodeOf(json)
  if (code === '0' && typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) {
    return { value, expiresInMs: (Number(seconds) || 7200) * 1000 }
  }
  if (code === '45009') throw new BusyError('access token: 45009', { afterMs: FREQUENCY_MS })
  if (code === '' || code === '0' || code === '-1' || code === '6000') {
    throw new HttpError(code === '' ? `HTTP ${answer.status}` : `errcode ${code}`, false)
  }
  throw new ChannelError(`access token refused: ${code}`)
}
