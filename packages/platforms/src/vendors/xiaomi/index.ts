import { type AskAgain, type Batch, ChannelError, type Pusher, type PushResult } from '@fanfare/core'
import pLimit, { type LimitFunction } from 'p-limit'
import { at, type Http, HttpError, verdictOfHttpError } from '../../http/http.ts'
import { noPermit, notSentFor } from '../../pushing/again.ts'
import type { OpenContext, OpenPusher } from '../../pushing/opener.ts'
import { pushBatched } from '../../pushing/per-batch.ts'
import { tokensOf } from '../../pushing/tokens.ts'
import { isAboutChannel, type Verdict } from '../../pushing/verdict.ts'
import { readXiaomiOptions, type XiaomiOptions } from './options.ts'
import { xiaomiForm } from './payload.ts'
import { Splits } from './splits.ts'
import { readXiaomiAnswer, type XiaomiAnswer } from './verdicts.ts'

const PATH = '/v3/message/regid'
const BATCH_SIZE = 1000
const IN_FLIGHT = 32
/** A registration id never holds a comma, which separates them. */
const isToken = tokensOf(/^[!-+\--~]+$/)
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
  readonly #splits = new Splits()

  constructor(http: Http, vendorUrl: string | undefined, options: XiaomiOptions) {
    this.#http = http
    this.#url = at(vendorUrl, options.host + PATH)
    this.#options = options
  }

  async push(batch: Batch, signal: AbortSignal): Promise<PushResult[]> {
    const form = this.#formOf(batch)
    const { wantsReply } = batch
    const again: AskAgain = batch.again ?? ((members) => Promise.resolve({ members }))
    const request = { form, signal, wantsReply, again, taskId: batch.taskId }
    return pushBatched({
      batch,
      size: BATCH_SIZE,
      isToken,
      limit: this.#limit,
      send: (tokens) => this.#send(tokens, request),
    })
  }

  async close(): Promise<void> {}

  /** 20301 says that a batch failed without saying which: it is split in halves once. */
  async #send(tokens: readonly string[], request: Request): Promise<readonly Verdict[]> {
    const known = this.#splits.take(request.taskId, tokens)
    if (known === 'whole') return this.#sendHalves(tokens, request, true)
    const answer = await this.#post(tokens, request)
    if (answer instanceof HttpError) return tokens.map(() => verdictOfHttpError(answer))
    if (answer.code !== '20301') return verdictsOf(tokens, answer, request.wantsReply)
    if (tokens.length === 1 && answer.noTarget) return [NO_TARGET]
    if (tokens.length === 1 || known === 'half') return verdictsOf(tokens, answer, request.wantsReply)
    return this.#sendHalves(tokens, request, false)
  }

  /** Each half is a request with a permit of its own; `hasPermit`: the first one goes with that of the batch. */
  async #sendHalves(tokens: readonly string[], request: Request, hasPermit: boolean): Promise<readonly Verdict[]> {
    const size = Math.ceil(tokens.length / 2)
    const verdicts: Verdict[] = []
    while (verdicts.length < tokens.length) {
      const rest = tokens.slice(verdicts.length)
      const isPaid = hasPermit && verdicts.length === 0
      const leave = await (isPaid ? { members: size } : request.again(Math.min(size, rest.length)))
      if ('afterMs' in leave) {
        this.#splits.add(request.taskId, rest, rest.length > size ? 'whole' : 'half')
        return [...verdicts, ...rest.map(() => noPermit(leave.afterMs))]
      }
      const half = rest.slice(0, Math.min(size, leave.members))
      verdicts.push(...(await this.#sendHalf(half, request)))
      const last = verdicts.at(-1)
      if (last && isAboutChannel(last.is))
        return [...verdicts, ...tokens.slice(verdicts.length).map(() => notSentFor(last))]
    }
    return verdicts
  }

  /** A half that fails again is rejected. */
  async #sendHalf(tokens: readonly string[], request: Request): Promise<readonly Verdict[]> {
    const answer = await this.#post(tokens, request)
    if (answer instanceof HttpError) return tokens.map(() => verdictOfHttpError(answer))
    if (tokens.length === 1 && answer.code === '20301' && answer.noTarget) return [NO_TARGET]
    return verdictsOf(tokens, answer, request.wantsReply)
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

type Request = { form: string; signal: AbortSignal; wantsReply: boolean; again: AskAgain; taskId: string }

function verdictsOf(tokens: readonly string[], answer: XiaomiAnswer, wantsReply: boolean): Verdict[] {
  if (answer.bad.size === 0 && !wantsReply) return new Array(tokens.length).fill(answer.all)
  const reply = wantsReply ? { reply: answer.reply } : undefined
  return tokens.map((token) => {
    const verdict = answer.bad.has(token) ? DEAD : answer.all
    return reply ? { ...verdict, ...reply } : verdict
  })
}
