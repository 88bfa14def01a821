import type { AskAgain, Batch, Pusher, PushResult } from '@fanfare/core'
import pLimit, { type LimitFunction } from 'p-limit'
import type { TokenProvider } from '../../access/access-token.ts'
import { withToken } from '../../access/with-token.ts'
import { at, type Http, HttpError, verdictOfHttpError } from '../../http/http.ts'
import type { OpenContext, OpenPusher } from '../../pushing/opener.ts'
import { pushBatched } from '../../pushing/per-batch.ts'
import type { Verdict } from '../../pushing/verdict.ts'
import { readWecomOptions, type WecomOptions } from './options.ts'
import { type WecomBody, wecomBody } from './payload.ts'
import { wecomTokens } from './tokens.ts'
import { readWecomAnswer } from './verdicts.ts'

const SEND_URL = 'https://qyapi.weixin.qq.com/cgi-bin/message/send'
const BATCH_SIZE = 1000
const IN_FLIGHT = 8
/** A user id begins with a letter or digit: `@all` is none, and `|` separates users. */
const USER = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/

/** WeCom application messages: up to 1,000 users per request. */
export const openWecom: OpenPusher = (context: OpenContext) => {
  const options = readWecomOptions(context.channel, context.credential)
  return new WecomPusher(context, options, wecomTokens(context, options))
}

type Request = { body: WecomBody; signal: AbortSignal; wantsReply: boolean; again: AskAgain | undefined }

class WecomPusher implements Pusher {
  readonly batchSize = BATCH_SIZE
  readonly #http: Http
  readonly #url: string
  readonly #options: WecomOptions
  readonly #tokens: TokenProvider
  readonly #limit: LimitFunction = pLimit(IN_FLIGHT)

  constructor(context: OpenContext, options: WecomOptions, tokens: TokenProvider) {
    this.#http = context.http
    this.#url = at(context.vendorUrl, SEND_URL)
    this.#options = options
    this.#tokens = tokens
  }

  async push(batch: Batch, signal: AbortSignal): Promise<PushResult[]> {
    const body = wecomBody(batch.message, { agentId: this.#options.agentId, taskId: batch.taskId })
    const { again, wantsReply } = batch
    const request = { body, signal, again, wantsReply }
    return pushBatched({
      batch,
      size: BATCH_SIZE,
      isToken: (token) => USER.test(token),
      limit: this.#limit,
      send: (users) => this.#send(users, request),
    })
  }

  async close(): Promise<void> {}

  #send(users: readonly string[], request: Request): Promise<Verdict[]> {
    const send = (accessToken: string, indices: readonly number[]) =>
      this.#post(
        accessToken,
        indices.map((index) => users[index] as string),
        request,
      )
    const { signal, again } = request
    return withToken({ tokens: this.#tokens, indices: [...users.keys()], send, signal, again })
  }

  /** Users stand in the order of the batch, which is the same in every retry of it. */
  async #post(accessToken: string, users: readonly string[], request: Request): Promise<Verdict[]> {
    const { body, signal, wantsReply } = request
    try {
      const answer = await this.#http.send({
        method: 'POST',
        url: `${this.#url}?access_token=${encodeURIComponent(accessToken)}`,
        headers: { 'content-type': 'application/json' },
        body: body.before + users.join('|') + body.after,
        signal,
      })
      const { all, listed, reply } = readWecomAnswer(answer)
      const verdicts = users.map((user) => listed.get(user.toLowerCase()) ?? all)
      return wantsReply ? verdicts.map((verdict) => ({ ...verdict, reply })) : verdicts
    } catch (error) {
      if (error instanceof HttpError) return users.map(() => verdictOfHttpError(error))
      throw error
    }
  }
}
