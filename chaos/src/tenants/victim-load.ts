import { type HttpAnswer, HttpClient } from '@fanfare/testkit'
import { USERS, USERS_EACH, VICTIM_PLATFORMS } from './victim-devices.ts'

/** What a victim sends, each at its own pace. */
const EVERY_MS = { single: 100, sync: 500, list: 2000, broadcast: 3000 } as const
export type Kind = keyof typeof EVERY_MS
export const KINDS = Object.keys(EVERY_MS) as Kind[]
/** The simulator tells the time from request to arrival by it. */
export const tagOf = (kind: Kind, phase: string): string => `victim-${phase}-${kind}`

/** Where the victim's app is. */
export type VictimAddress = { url: string; path: string; token: string }

/** What was sent in a phase, once every request has its answer. */
export type Sent = {
  /** Answered 429 or 503. */
  refused: number
  /** No answer, another status than these and 200, or a synchronous push that did not succeed. */
  failed: number
  /** Task id → members. */
  tasks: Record<string, number>
  /** Answer times of synchronous pushes. */
  syncMs: number[]
  /** By user: messages that must have arrived, and those whose answer leaves it open. */
  expected: number[]
  doubtful: number[]
}

const ANSWER_MS = 20_000
const REFUSED = new Set([429, 503])

/** A modest customer: single and synchronous pushes, lists and broadcasts at a steady pace, over several platforms. */
export class VictimLoad {
  readonly #address: VictimAddress
  readonly #phase: string
  readonly #http = new HttpClient()
  readonly #timers: NodeJS.Timeout[]
  readonly #open = new Set<Promise<void>>()
  readonly #sent: Sent = {
    ...{ refused: 0, failed: 0, tasks: {}, syncMs: [] },
    ...{ expected: new Array<number>(USERS).fill(0), doubtful: new Array<number>(USERS).fill(0) },
  }
  #next = 0

  constructor(address: VictimAddress, phase: string) {
    this.#address = address
    this.#phase = phase
    this.#timers = KINDS.map((kind) => setInterval(() => this.#shoot(kind), EVERY_MS[kind]))
    for (const kind of KINDS) this.#shoot(kind)
  }

  /** Sends no more, and waits for the answers under way. */
  async stop(): Promise<Sent> {
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all(this.#open)
    this.#http.close()
    return this.#sent
  }

  #shoot(kind: Kind): void {
    const sent = this.#send(kind).finally(() => this.#open.delete(sent))
    this.#open.add(sent)
  }

  async #send(kind: Kind): Promise<void> {
    const users = kind === 'list' || kind === 'broadcast' ? EVERYONE : [this.#nextUser()]
    const startedAt = performance.now()
    const answer = await this.#ask(kind, users).catch(() => undefined)
    if (kind === 'sync') this.#sent.syncMs.push(performance.now() - startedAt)
    if (answer !== undefined && REFUSED.has(answer.status)) {
      this.#sent.refused++
    } else if (answer?.status !== 200 || (kind === 'sync' && !succeeded(answer))) {
      this.#sent.failed++
      count(this.#sent.doubtful, users)
    } else {
      count(this.#sent.expected, users)
      if (kind !== 'sync') this.#sent.tasks[String(answer.headers['fanfare-task-id'])] = users.length
    }
  }

  /** A synchronous push comes on a connection of its own: not all of a customer's connections stand already. */
  #ask(kind: Kind, users: readonly number[]): Promise<HttpAnswer> {
    const { url, path: app, token } = this.#address
    const sentAtMs = (performance.timeOrigin + performance.now()).toFixed(3)
    const pushMessage = { title: 'victim', content: `sent@${sentAtMs}#${tagOf(kind, this.#phase)}` }
    const { path, body } = REQUESTS[kind](users.map((user) => `u${user}`))
    const http = kind === 'sync' ? new HttpClient(1) : this.#http
    const call = { method: 'POST', url, path: `${app}/${path}`, token, timeoutMs: ANSWER_MS }
    return http.call({ ...call, body: { ...body, pushMessage } }).finally(() => {
      if (http !== this.#http) http.close()
    })
  }

  /** One platform after the other. */
  #nextUser(): number {
    const number = this.#next++
    const platforms = VICTIM_PLATFORMS.length
    return (number % platforms) * USERS_EACH + (Math.floor(number / platforms) % USERS_EACH)
  }
}

const REQUESTS: Readonly<Record<Kind, (targets: string[]) => { path: string; body: object }>> = {
  single: (targets) => ({ path: 'push/single', body: { targets } }),
  sync: ([target]) => ({ path: `push/sync/${target}`, body: {} }),
  list: (targets) => ({ path: 'push/list', body: { targets } }),
  broadcast: () => ({ path: 'push/task', body: {} }),
}

const EVERYONE = Array.from({ length: USERS }, (_, user) => user)

function count(list: number[], users: readonly number[]): void {
  for (const user of users) list[user] = (list[user] ?? 0) + 1
}

function succeeded({ body }: HttpAnswer): boolean {
  const { data } = body as { data?: { pushStatus?: string }[] }
  return data?.[0]?.pushStatus === 'SUCCESS'
}
