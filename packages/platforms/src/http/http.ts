import { setMaxListeners } from 'node:events'
import { type ClientRequest, Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { createSecureContext, rootCertificates } from 'node:tls'
import axios, { type AxiosInstance, type AxiosResponse } from 'axios'
import type { Verdict } from '../pushing/verdict.ts'

/** Of one request, from the call to the last byte of the answer (docs/reliability.md T55). */
export const HTTP_DEADLINE_MS = 15_000
/** No answer of a vendor is longer; what exceeds it is cut off and the outcome is unknown. */
export const HTTP_ANSWER_BYTES = 64 * 1024

export type HttpRequest = {
  method: 'GET' | 'POST'
  /** Never logged and never part of an error: WeCom carries its access token here. */
  url: string
  headers?: Readonly<Record<string, string>>
  body?: string | Buffer
  deadlineMs?: number
  signal?: AbortSignal
}

/** Any status is an answer; header names are lower-case. */
export type HttpAnswer = { status: number; headers: Readonly<Record<string, string>>; text: string }

/**
 * No answer was had. `written` false: the request never left (refused, not resolved, TLS failure, deadline while
 * connecting), so sending it again is safe. `written` true: the vendor may have processed it.
 */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly written: boolean
  constructor(reason: string, written: boolean, options?: ErrorOptions) {
    super(reason, options)
    this.written = written
  }
}

/** HTTP/1.1 over kept connections: no redirects, no compression, no proxy from the environment, TLS always verified. */
export interface Http {
  /** Rejects with HttpError only. */
  send(request: HttpRequest): Promise<HttpAnswer>
  close(): void
}

export type HttpOptions = {
  /** PEM to trust besides the public roots. */
  ca?: string | undefined
  /** Connections per vendor host. */
  maxSockets?: number
}

/** More than a process has places, each channel using few of them: no tenant waits for a connection that another's slow account holds. */
const MAX_SOCKETS = 512

export function openHttp(options: HttpOptions = {}): Http {
  const keep = { keepAlive: true, maxSockets: options.maxSockets ?? MAX_SOCKETS, maxFreeSockets: 16, timeout: 120_000 }
  const http = new HttpAgent(keep)
  // Made once: reading the public roots anew for every connection takes longer than the handshake.
  const secureContext = options.ca && createSecureContext({ ca: [...rootCertificates, options.ca] })
  const https = new HttpsAgent({ ...keep, ...(secureContext ? { secureContext } : {}) })
  const client = clientOver(http, https)
  return {
    send: (request) => exchange(client, request),
    close: () => {
      http.destroy()
      https.destroy()
    },
  }
}

/** The verdict of a request that got no answer: not written = sent again free, else unknown. */
export function verdictOfHttpError(error: HttpError): Verdict {
  return error.written
    ? { is: 'unknown', reason: error.message }
    : { is: 'deferred', reason: error.message, free: true }
}

/** The body as a JSON object, or undefined where it is none. */
export function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** `url` with its origin replaced by the operator's `vendorUrl` (the simulator), if there is one. */
export function at(vendorUrl: string | undefined, url: string): string {
  if (!vendorUrl) return url
  const { pathname, search } = new URL(url)
  return vendorUrl.replace(/\/+$/, '') + pathname + search
}

function clientOver(httpAgent: HttpAgent, httpsAgent: HttpsAgent): AxiosInstance {
  return axios.create({
    httpAgent,
    httpsAgent,
    proxy: false,
    maxRedirects: 0,
    maxContentLength: HTTP_ANSWER_BYTES,
    maxBodyLength: Number.POSITIVE_INFINITY,
    decompress: false,
    responseType: 'text',
    validateStatus: null,
    transformRequest: [(data: unknown) => data],
    transformResponse: [(data: unknown) => data],
    headers: { common: { 'accept-encoding': 'identity', accept: 'application/json', 'user-agent': 'fanfare' } },
  })
}

/** Knows of one request whether it left: a socket that is still connecting (or shaking hands) has carried nothing. */
class Departure {
  #written = false
  get written(): boolean {
    return this.#written
  }

  /** What axios asks for a request in place of `http`. */
  readonly request = (options: { protocol?: string | null }, onAnswer: () => void): ClientRequest => {
    const secure = options.protocol === 'https:'
    const request = secure ? httpsRequest(options as object, onAnswer) : httpRequest(options as object, onAnswer)
    request.once('socket', (socket: Socket) => this.#watch(socket, secure))
    return request
  }

  #watch(socket: Socket, secure: boolean): void {
    const ready = secure ? (socket as { secureConnecting?: boolean }).secureConnecting === false : !socket.connecting
    const mark = () => {
      this.#written = true
    }
    if (ready) mark()
    else socket.once(secure ? 'secureConnect' : 'connect', mark)
  }
}

async function exchange(client: AxiosInstance, request: HttpRequest): Promise<HttpAnswer> {
  const departure = new Departure()
  const stop = new AbortController()
  const onAbort = () => stop.abort()
  const timer = setTimeout(onAbort, request.deadlineMs ?? HTTP_DEADLINE_MS)
  // One signal may stand for many requests at once.
  if (request.signal) setMaxListeners(0, request.signal)
  request.signal?.addEventListener('abort', onAbort)
  try {
    if (request.signal?.aborted) throw new HttpError('aborted before sending', false)
    return answerOf(await call(client, request, { signal: stop.signal, departure }))
  } catch (error) {
    if (error instanceof HttpError) throw error
    throw failureOf(error, departure.written, { timedOut: stop.signal.aborted, aborted: request.signal?.aborted })
  } finally {
    clearTimeout(timer)
    request.signal?.removeEventListener('abort', onAbort)
  }
}

type Running = { signal: AbortSignal; departure: Departure }

function call(client: AxiosInstance, request: HttpRequest, running: Running): Promise<AxiosResponse<string>> {
  return client.request<string>({
    url: request.url,
    method: request.method,
    ...(request.headers ? { headers: { ...request.headers } } : {}),
    ...(request.body === undefined ? {} : { data: request.body }),
    signal: running.signal,
    transport: running.departure,
  })
}

function answerOf(response: AxiosResponse<string>): HttpAnswer {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(response.headers)) headers[name] = String(value)
  return { status: response.status, headers, text: response.data ?? '' }
}

/** Only the code goes into the reason: an axios message may hold the URL, and the URL may hold an access token. */
function failureOf(
  error: unknown,
  written: boolean,
  by: { timedOut: boolean; aborted: boolean | undefined },
): HttpError {
  if (by.aborted) return new HttpError('aborted', written)
  if (by.timedOut) return new HttpError(written ? 'no answer in time' : 'no connection in time', written)
  const { code, message } = error as { code?: string; message?: string }
  if (message?.startsWith('maxContentLength')) return new HttpError('the answer is too long', true)
  return new HttpError(code ?? 'connection failed', written)
}
