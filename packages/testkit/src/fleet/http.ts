import { Agent, type IncomingMessage, request } from 'node:http'

export type HttpCall = {
  method: string
  /** Base address, as a service printed it. */
  url: string
  path: string
  token?: string
  headers?: Readonly<Record<string, string>>
  body?: unknown
  timeoutMs?: number
}
export type HttpAnswer = { status: number; headers: IncomingMessage['headers']; body: unknown }

/** JSON over kept connections of node:http: cheaper and more honest about resets than fetch. */
export class HttpClient {
  readonly #agent: Agent

  constructor(maxSockets = 64) {
    this.#agent = new Agent({ keepAlive: true, maxSockets })
  }

  /** Rejects where no whole answer came; any status is an answer. */
  call(call: HttpCall): Promise<HttpAnswer> {
    const payload = call.body === undefined ? undefined : JSON.stringify(call.body)
    const headers: Record<string, string> = { ...call.headers }
    if (call.token !== undefined) headers['authorization'] = `Bearer ${call.token}`
    if (payload !== undefined) {
      headers['content-type'] = 'application/json'
      headers['content-length'] = String(Buffer.byteLength(payload))
    }
    return new Promise((resolve, reject) => {
      const options = { method: call.method, headers, agent: this.#agent, timeout: call.timeoutMs ?? 30_000 }
      const sent = request(new URL(call.path, call.url), options, (answer) => collect(answer, resolve, reject))
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${call.timeoutMs ?? 30_000} ms`)))
      sent.on('error', reject)
      sent.end(payload)
    })
  }

  /** As `call`, and rejects with the body where the status is not 2xx. */
  async ok(call: HttpCall): Promise<HttpAnswer> {
    const answer = await this.call(call)
    if (answer.status >= 300) {
      throw new Error(`${call.method} ${call.path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    }
    return answer
  }

  close(): void {
    this.#agent.destroy()
  }
}

function collect(
  answer: IncomingMessage,
  resolve: (answer: HttpAnswer) => void,
  reject: (error: unknown) => void,
): void {
  const parts: Buffer[] = []
  answer.on('data', (part: Buffer) => parts.push(part))
  answer.on('error', reject)
  answer.on('end', () => {
    const text = Buffer.concat(parts).toString('utf8')
    resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: parse(text) })
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
