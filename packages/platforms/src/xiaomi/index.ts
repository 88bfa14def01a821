import { type Batch, ChannelError, type Pusher, type PushResult } from '@fanfare/core'
import pLimit, { type LimitFunction } from 'p-limit'
import { pushBatched } from '../batched.ts'
import { rejectAll } from '../each.ts'
import { UnfitMessage } from '../fields.ts'
import { at, type Http, HttpError, verdictOfHttpError } from '../http.ts'
import type { OpenContext, OpenPusher } from '../opener.ts'
import { tokensOf } from '../tokens.ts'
import type { Verdict } from '../verdict.ts'
import { readXiaomiOptions, type XiaomiOptions } from './options.ts'
import { xiaomiForm } from './payload.ts'
import { readXiaomiAnswer, type XiaomiAnswer } from './verdicts.ts'

const PATH = '/v3/message/regid'
const BATCH_SIZE = 1000
const IN_FLIGHT = 32
/** A registration id never holds a comma, which separates them. */
const isToken = tokensOf(/^[!-+\--~]+$/)
/** Batches up to this size may be synchronous pushes, which pass the vendor's answer on. */
const REPLY_MEMBERS = 10
const DEAD: Verdict = { is: 'invalid', reason: 'bad_regids' }
const NO_TARGET: Verdict = { is: 'invalid', reason: '20301 no valid target' }

/** MiPush v3: a form with up to 1,000 registration ids per request. */
export const openXiaomi: OpenPusher = (context: OpenContext) =>
  new XiaomiPusher(context.http, context.vendorUrl, readXiaomiOptions(context.channel, context.credential))

class XiaomiPusher implements Pusher {
  readonly batchSize = BATCH_SIZE
  readonly #http: Http
  readonly #url: string
  readonly #options: XiaomiOptions
  readonly #limit: LimitFunction = pLimit(IN_FLIGHT)

  constructor(http: Http, vendorUrl: string | undefined, options: XiaomiOptions) {
    this.#http = http
    this.#url = at(vendorUrl, options.host + PATH)
    this.#options = options
  }

  async push(batch: Batch, signal: AbortSignal): Promise<PushResult[]> {
    let form: string
    try {
      form = this.#formOf(batch)
    } catch (error) {
      if (error instanceof UnfitMessage) return rejectAll(batch, error.message)
      throw error
    }
    const withReply = batch.members.length <= REPLY_MEMBERS
    const request = { form, signal, withReply }
    return pushBatched({
      batch,
      size: BATCH_SIZE,
      isToken,
      limit: this.#limit,
      send: (tokens) => this.#send(tokens, request, true),
    })
  }

  async close(): Promise<void> {}

  /** 20301 says that a batch failed without saying which: it is split in halves once. */
  async #send(tokens: readonly string[], request: Request, maySplit: boolean): Promise<readonly Verdict[]> {
    const answer = await this.#post(tokens, request)
    if (answer instanceof HttpError) return tokens.map(() => verdictOfHttpError(answer))
    if (answer.code !== '20301') return verdictsOf(tokens, answer, request.withReply)
    if (tokens.length === 1) return answer.noTarget ? [NO_TARGET] : verdictsOf(tokens, answer, request.withReply)
    if (!maySplit) return verdictsOf(tokens, answer, request.withReply)
    const middle = Math.ceil(tokens.length / 2)
    const halves = [tokens.slice(0, middle), tokens.slice(middle)]
    return (await Promise.all(halves.map((half) => this.#send(half, request, false)))).flat()
  }

  async #post(tokens: readonly string[], { form, signal }: Request): Promise<XiaomiAnswer | HttpError> {
    try {
      const answer = await this.#http.send({
        method: 'POST',
        url: this.#url,
        headers: {
          authorization: `key=${this.#options.appSecret}`,
          'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
        },
        body: `${form}&registration_id=${listOf(tokens)}`,
        signal,
      })
      return readXiaomiAnswer(answer)
    } catch (error) {
      if (error instanceof HttpError) return error
      throw error
    }
  }

  #formOf(batch: Batch): string {
    const { packageName, channelId } = this.#options
    const ttlMs = batch.expiresAt.getTime() - Date.now()
    const form = xiaomiForm(batch.message, { taskId: batch.taskId, ttlMs, packageName, channelId })
    if (!form['restricted_package_name']) throw new ChannelError('setting packageName is missing')
    return new URLSearchParams(form).toString()
  }
}

/** Of Base64, as MiPush makes its ids, three characters are to be encoded: half the work of looking at each. */
const BASE64 = /^[\w+/=-]*$/

function listOf(tokens: readonly string[]): string {
  if (!tokens.every((token) => BASE64.test(token))) return encodeURIComponent(tokens.join(','))
  return tokens.join('%2C').replaceAll('+', '%2B').replaceAll('/', '%2F').replaceAll('=', '%3D')
}

type Request = { form: string; signal: AbortSignal; withReply: boolean }

function verdictsOf(tokens: readonly string[], answer: XiaomiAnswer, withReply: boolean): Verdict[] {
  if (answer.bad.size === 0 && !withReply) return new Array(tokens.length).fill(answer.all)
  const reply = withReply ? { reply: answer.reply } : undefined
  return tokens.map((token) => {
    const verdict = answer.bad.has(token) ? DEAD : answer.all
    return reply ? { ...verdict, ...reply } : verdict
  })
}
