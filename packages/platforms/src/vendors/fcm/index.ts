import type { OutgoingHttpHeaders } from 'node:http2'
import { type Batch, ChannelError, type Pusher, type PushResult } from '@fanfare/core'
import type { TokenProvider } from '../../access/access-token.ts'
import { at } from '../../http/http.ts'
import type { ClientLease } from '../../http/http2/pool.ts'
import { clientKey, type OpenContext, type OpenPusher } from '../../pushing/opener.ts'
import { pushEach } from '../../pushing/per-member.ts'
import { tokensOf } from '../../pushing/tokens.ts'
import { googleTokens } from './oauth.ts'
import { readServiceAccount } from './options.ts'
import { fcmRequest } from './payload.ts'
import { judgeFcm } from './verdicts.ts'

const HOST = 'https://fcm.googleapis.com'
/** What may stand in a JSON text as it is; registration tokens are of fewer characters still. */
const isToken = tokensOf(/^[!#-[\]-~]+$/)

/** FCM HTTP v1: one token per request, the message serialised once per batch. */
export const openFcm: OpenPusher = async (context: OpenContext) => {
  const account = await readServiceAccount(context.credential)
  const url = new URL(at(context.vendorUrl, `${HOST}/v1/projects/${account.projectId}/messages:send`))
  const key = clientKey(context, account.projectId)
  const { maxInFlight } = context.channel.limits
  return new FcmPusher(
    context.http2.lease(url.origin, key, { maxInFlight }),
    googleTokens(context, account),
    url.pathname,
  )
}

class FcmPusher implements Pusher {
  readonly batchSize = 1
  readonly #lease: ClientLease
  readonly #tokens: TokenProvider
  readonly #path: string

  constructor(lease: ClientLease, tokens: TokenProvider, path: string) {
    this.#lease = lease
    this.#tokens = tokens
    this.#path = path
  }

  async push(batch: Batch, signal: AbortSignal): Promise<PushResult[]> {
    const { before, after } = bodyOf(batch)
    return pushEach({
      batch,
      signal,
      client: this.#lease.client,
      tokens: this.#tokens,
      isToken,
      headers: (accessToken) => this.#headers(accessToken),
      request: ({ token }, headers) => ({ headers, body: before + token + after }),
      judge: (call) => judgeFcm(call, batch.wantsReply),
    })
  }

  close(): Promise<void> {
    return this.#lease.release()
  }

  #headers(accessToken: string): OutgoingHttpHeaders {
    if (!/^[\x21-\x7e]+$/.test(accessToken)) throw new ChannelError('the access token is malformed')
    return {
      ':method': 'POST',
      ':path': this.#path,
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
    }
  }
}

/** The request differs between members in the token only, so it is made once and the token is put in between. */
function bodyOf(batch: Batch): { before: string; after: string } {
  const now = Date.now()
  const ttlSeconds = Math.max(0, Math.round((batch.expiresAt.getTime() - now) / 1000))
  const { message, validateOnly } = fcmRequest(batch.message, {
    taskId: batch.taskId,
    ttlSeconds,
    expiresAtSeconds: Math.round(batch.expiresAt.getTime() / 1000),
  })
  const rest = JSON.stringify(message).slice(1)
  return {
    before: '{"message":{"token":"',
    after: `"${rest === '}' ? '' : ','}${rest}${validateOnly ? ',"validate_only":true' : ''}}`,
  }
}
