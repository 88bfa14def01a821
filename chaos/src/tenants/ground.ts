import type { Channel } from '@fanfare/core'
import type { SimulatorClient } from '@fanfare/simulator'
import {
  type Fleet,
  FleetApp,
  type FleetPlatform,
  type HttpAnswer,
  type HttpCall,
  HttpClient,
  notifierBody,
  seedDevices,
  sleep,
} from '@fanfare/testkit'

export type AttackerOptions = {
  /** The operator trusts it with many tasks, as a big sender. */
  lifted?: boolean
}

/** Fifty requests a second on each line. */
const EVERY_MS = 20

/** Where an attack takes place: a fleet, the simulator, and the attacker's apps. */
export class Ground {
  readonly fleet: Fleet
  readonly simulator: SimulatorClient
  /** Tells an attack that it is over. */
  readonly signal: AbortSignal
  readonly #over = new AbortController()
  readonly #attackers: Attacker[] = []

  constructor(fleet: Fleet, simulator: SimulatorClient) {
    this.fleet = fleet
    this.simulator = simulator
    this.signal = this.#over.signal
  }

  /** An app of the attacker; each attack may have several. */
  async attacker(name = 'attacker', { lifted = false }: AttackerOptions = {}): Promise<Attacker> {
    const app = await FleetApp.create(this.fleet, { org: 'tenants', name })
    if (lifted) await app.liftTaskLimits()
    const attacker = new Attacker(app)
    this.#attackers.push(attacker)
    return attacker
  }

  /**
   * Repeats `once` in so many lines at a time until the attack is over, each line at most every `EVERY_MS`: what is
   * measured is how a service is shared, not how much a machine can do. What fails is the attacker's business.
   */
  async flood(lines: number, once: (number: number) => Promise<unknown>, everyMs = EVERY_MS): Promise<void> {
    let next = 0
    const line = async () => {
      while (!this.signal.aborted) await Promise.all([once(next++).catch(() => undefined), sleep(everyMs)])
    }
    await Promise.all(Array.from({ length: lines }, line))
  }

  end(): void {
    this.#over.abort()
  }

  /** How the attacker's requests were answered: an attack of which nothing came through was none. */
  answers(): Record<string, number> {
    const sums: Record<string, number> = {}
    for (const { answers } of this.#attackers) {
      for (const [status, count] of answers) sums[status] = (sums[status] ?? 0) + count
    }
    return sums
  }

  close(): void {
    for (const attacker of this.#attackers) attacker.close()
  }
}

/** Connections of one app of the attacker: more than an API takes requests at once. */
const SOCKETS = 1000

/** What an attack asks otherwise than as its app. */
type CallMore = Partial<Pick<HttpCall, 'path' | 'token' | 'headers'>>

/** One app of the attacker. Counts how it is answered. */
export class Attacker {
  readonly app: FleetApp
  readonly answers = new Map<string, number>()
  readonly http = new HttpClient(SOCKETS)

  constructor(app: FleetApp) {
    this.app = app
  }

  /** Any status is an answer; no answer at all is one too. */
  async call(method: string, path: string, body?: unknown, more: CallMore = {}): Promise<HttpAnswer | undefined> {
    const { path: app, token, fleet } = this.app
    const call = { method, url: fleet.api.url, path: `${app}/${path}`, token, body, ...more }
    const answer = await this.http.call(call).catch(() => undefined)
    const status = answer === undefined ? 'none' : String(answer.status)
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1)
    return answer
  }

  push(path: string, more: object = {}): Promise<HttpAnswer | undefined> {
    return this.call('POST', path, { pushMessage: { title: 'attack', content: 'an attack' }, ...more })
  }

  /** What an operator allows a big sender. */
  async allow(settings: object): Promise<void> {
    const { fleet, path } = this.app
    const [url, token] = [fleet.api.url, fleet.operatorToken]
    await this.http.ok({ method: 'PATCH', url, path: `/admin/apps${path}`, token, body: settings })
  }

  close(): void {
    this.app.http.close()
    this.http.close()
  }

  /** A notifier, and `count` users u0 … with one device each on it. Answers the channel's id. */
  async reach(platform: FleetPlatform, devices: AttackerDevices): Promise<string> {
    const { name = `attacker-${platform}`, count, from = 0, tokenOf, limits = { rate: 0 }, secret } = devices
    const body = notifierBody(platform, name)
    await this.app.call('POST', 'notifiers', { ...body, ...(secret !== undefined && { certificate: secret }) })
    await this.app.call('PATCH', `notifiers/${name}`, { limits })
    const channelId = await this.app.channelId(name)
    await seedDevices(await this.app.fleet.openStore(), {
      appId: await this.app.appId(),
      ...{ channelId, count, from, tokenOf },
    })
    return channelId
  }

  async channels(): Promise<Channel[]> {
    const store = await this.app.fleet.openStore()
    return store.channels.ofApp(await this.app.appId())
  }

  /** One user and device on each of the channels. */
  async bindEach(channelIds: readonly string[], tokenOf: (index: number) => string): Promise<void> {
    const store = await this.app.fleet.openStore()
    const appId = await this.app.appId()
    for (const [from, channelId] of channelIds.entries()) {
      await seedDevices(store, { appId, channelId, count: 1, from, tokenOf })
    }
  }
}

export type AttackerDevices = {
  name?: string
  count: number
  from?: number
  tokenOf: (index: number) => string
  limits?: object
  /** Its own where others may have the same by its name. */
  secret?: string
}

/** The names of users from … to (exclusive). */
export const users = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, offset) => `u${from + offset}`)
