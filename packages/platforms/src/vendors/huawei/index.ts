import type { AskAgain, Batch, Pusher, PushResult } from '@fanfare/core'
import pLimit, { type LimitFunction } from 'p-limit'
import type { TokenProvider } from '../../access/access-token.ts'
import { withToken } from '../../access/with-token.ts'
import { at, type Http, HttpError, verdictOfHttpError } from '../../http/http.ts'
import type { OpenContext, OpenPusher } from '../../pushing/opener.ts'
import { pushBatched } from '../../pushing/per-batch.ts'
import { tokensOf } from '../../pushing/tokens.ts'
import type { Verdict } from '../../pushing/verdict.ts'
import { type HarmonyBody, harmonyBody } from './harmony.ts'
import { type HuaweiOptions, readHuaweiOptions } from './options.ts'
import { huaweiBody, type Splice } from './payload.ts'
import { huaweiTokens } from './tokens.ts'
import { readHuaweiAnswer } from './verdicts.ts'

const HOST = 'https://push-api.cloud.huawei.com'
const BATCH_SIZE = 1000
const IN_FLIGHT = 16
const isToken = tokensOf(/^[!-~]+$/)

/** Push Kit v1 (Android) and v3 (HarmonyOS): up to 1,000 tokens per request, partial results token by token. */
export const openHuawei: OpenPusher = (context: OpenContext) => {
  const options = readHuaweiOptions(context.channel, context.credential)
  return new HuaweiPusher(context, options, huaweiTokens(context, options))
}

type Body = Splice & Partial<HarmonyBody>
type Request = { body: Body; signal: AbortSignal; wantsReply: boolean; again: AskAgain | undefined }

class HuaweiPusher implements Pusher {
  readonly batchSize = BATCH_SIZE
  readonly #http: Http
  readonly #url: string
  readonly #options: HuaweiOptions
  readonly #tokens: TokenProvider
  readonly #limit: LimitFunction = pLimit(IN_FLIGHT)

  constructor(context: OpenContext, options: HuaweiOptions, tokens: TokenProvider) {
    this.#http = context.http
    this.#url = at(context.vendorUrl, `${HOST}/${options.api}/${options.id}/messages:send`)
    this.#options = options
    this.#tokens = tokens
  }

  async push(batch: Batch, signal: AbortSignal): Promise<PushResult[]> {
    const body = this.#bodyOf(batch)
    const { again, wantsReply } = batch
    const request = { body, signal, again, wantsReply }
    return pushBatched({
      batch,
      size: BATCH_SIZE,
      isToken,
      limit: this.#limit,
      send: (tokens) => this.#send(tokens, request),
    })
  }

  async close(): Promise<void> {}

  #bodyOf({ message, taskId, expiresAt }: Batch): Body {
    const { api, category, action, activityClass } = this.#options
    const context = { taskId, ttlMs: expiresAt.getTime() - Date.now(), category, action, activityClass }
    return api === 'v3' ? harmonyBody(message, context) : huaweiBody(message, context)
  }

  #send(tokens: readonly string[], request: Request): Promise<Verdict[]> {
    const send = (accessToken: string, indices: readonly number[]) =>
      this.#post(
        accessToken,
        indices.map((index) => tokens[index] as string),
        request,
      )
    const { signal, again } = request
    return withToken({ tokens: this.#tokens, indices: [...tokens.keys()], send, signal, again })
  }

  async #post(accessToken: string, tokens: readonly string[], request: Request): Promise<Verdict[]> {
    const { body, signal, wantsReply } = request
    const pushType = body.pushType === undefined ? undefined : { 'push-type': String(body.pushType) }
    try {
      const answer = await this.#http.send({
        method: 'POST',
        url: this.#url,
        headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json', ...pushType },
        body: body.before + JSON.stringify(tokens) + body.after,
        signal,
      })
      const { all, listed, reply } = readHuaweiAnswer(answer)
      const verdicts =
        listed.size === 0
          ? new Array<Verdict>(tokens.length).fill(all)
          : soften(tokens.map((token) => listed.get(token) ?? all))
      return wantsReply ? verdicts.map((verdict) => ({ ...verdict, reply })) : verdicts
    } catch (error) {
      if (error instanceof HttpError) return tokens.map(() => verdictOfHttpError(error))
      throw error
    }
  }
}

/** A missing right that concerns some tokens while others were accepted is no fault of the channel. */
function soften(verdicts: Verdict[]): Verdict[] {
  if (!verdicts.some(({ is }) => is === 'sent')) return verdicts
  return verdicts.map((verdict) => (verdict.is === 'channel' ? { is: 'rejected', reason: verdict.reason } : verdict))
}
