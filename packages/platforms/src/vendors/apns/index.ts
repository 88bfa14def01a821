import type { OutgoingHttpHeaders } from 'node:http2'
import { type Batch, BusyError, type Pusher, type PushResult } from '@fanfare/core'
import type { TokenProvider } from '../../access/access-token.ts'
import { at } from '../../http/http.ts'
import type { ClientLease } from '../../http/http2/pool.ts'
import { clientKey, type OpenContext, type OpenPusher } from '../../pushing/opener.ts'
import { pushEach } from '../../pushing/per-member.ts'
import { uuidOf } from '../../pushing/uuid.ts'
import { readApnsOptions } from './options.ts'
import { type ApnsRequest, apnsRequest } from './payload.ts'
import { providerTokens } from './provider-token.ts'
import { judgeApns } from './verdicts.ts'

const TOKEN = /^(?:[0-9a-fA-F]{2}){32,100}$/
const TOO_MANY_TOKENS = 'TooManyProviderTokenUpdates'

/** APNs over HTTP/2: one token per request; headers and body made once per batch. */
export const openApns: OpenPusher = (context: OpenContext) => {
  const { host, bundleId, credential } = readApnsOptions(context.channel, context.credential)
  const origin = new URL(at(context.vendorUrl, host)).origin
  const tls = credential.kind === 'certificate' ? credential.tls : undefined
  const { maxInFlight } = context.channel.limits
  const tokens = credential.kind === 'token' ? providerTokens(context, credential) : undefined
  // Tokens of different teams must not share a connection.
  const key = clientKey(context, credential.kind === 'token' ? `${credential.teamId} ${credential.keyId}` : '')
  return new ApnsPusher(context.http2.lease(origin, key, { tls, maxInFlight }), tokens, bundleId)
}

class ApnsPusher implements Pusher {
  readonly batchSize = 1
  readonly #lease: ClientLease
  readonly #tokens: TokenProvider | undefined
  readonly #bundleId: string

  constructor(lease: ClientLease, tokens: TokenProvider | undefined, bundleId: string) {
    this.#lease = lease
    this.#tokens = tokens
    this.#bundleId = bundleId
  }

  async push(batch: Batch, signal: AbortSignal): Promise<PushResult[]> {
    const made = this.#requestOf(batch)
    try {
      return await this.#send(batch, made, signal)
    } catch (error) {
      if (error instanceof BusyError && error.reason === TOO_MANY_TOKENS) await this.#tokens?.agree()
      throw error
    }
  }

  close(): Promise<void> {
    return this.#lease.release()
  }

  #send(batch: Batch, made: ApnsRequest, signal: AbortSignal): Promise<PushResult[]> {
    return pushEach({
      batch,
      signal,
      client: this.#lease.client,
      tokens: this.#tokens,
      isToken: (token) => TOKEN.test(token),
      headers: (accessToken) => headersOf(made, accessToken),
      request: ({ token, id }, shared) => ({
        headers: {
          ...shared,
          ':path': `/3/device/${token}`,
          'apns-id': made.apnsId ?? uuidOf(`${batch.taskId}-${id}`),
        },
        body: made.payload,
      }),
      judge: (call) => judgeApns(call, batch.wantsReply),
    })
  }

  #requestOf({ message, taskId, expiresAt }: Batch): ApnsRequest {
    const context = { taskId, bundleId: this.#bundleId, nowMs: Date.now(), expiresAtMs: expiresAt.getTime() }
    return apnsRequest(message, context)
  }
}

function headersOf({ headers }: ApnsRequest, accessToken: string): OutgoingHttpHeaders {
  const authorization = accessToken === '' ? {} : { authorization: `bearer ${accessToken}` }
  return { ':method': 'POST', ...headers, ...authorization }
}
