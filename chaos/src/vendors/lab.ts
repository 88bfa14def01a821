import { sentenceOfPause } from '@fanfare/core'
import type { SimulatorClient } from '@fanfare/simulator'
import { type Fleet, FleetApp, type FleetPlatform, packageOf, seedDevices, type TaskView } from '@fanfare/testkit'

export type CaseResult = { held: boolean } & Record<string, unknown>
/** One row of docs/reliability.md §2E, run against a fleet and the simulator. */
export type VendorCase = { name: string; promise: string; run(lab: Lab): Promise<CaseResult> }

export type TenantOptions = {
  platform: FleetPlatform
  users: number
  /** The token of user n; accepted ones by default. */
  tokenOf?: (index: number) => string
  limits?: object
}

/** Where a case works: an app, a channel and an account of its own, so that cases can run side by side. */
export class Lab {
  readonly fleet: Fleet
  readonly simulator: SimulatorClient

  /** 1 for the figures of docs/reliability.md; less for a quick run. */
  readonly #scale: number

  constructor(fleet: Fleet, simulator: SimulatorClient, scale = 1) {
    this.fleet = fleet
    this.simulator = simulator
    this.#scale = scale
  }

  /** A number of pushes at this lab's scale. */
  size(pushes: number): number {
    return Math.max(100, Math.round(pushes * this.#scale))
  }

  async tenant(name: string, options: TenantOptions): Promise<Tenant> {
    const app = await FleetApp.create(this.fleet, { org: 'vendors', name })
    await app.liftTaskLimits()
    const channelId = await app.addNotifier(options.platform, name, options.limits)
    const tokenOf = options.tokenOf ?? ((index: number) => `ok-${name}-${index}`)
    const store = await this.fleet.openStore()
    await seedDevices(store, { appId: await app.appId(), channelId, count: options.users, tokenOf })
    return new Tenant(app, { ...options, name, channelId, lab: this })
  }
}

type TenantFacts = TenantOptions & { name: string; channelId: string; lab: Lab }

/** One app of a lab. Its notifier's name is the project at FCM, and names the package at Xiaomi. */
export class Tenant {
  readonly app: FleetApp
  readonly name: string
  readonly #facts: TenantFacts

  constructor(app: FleetApp, facts: TenantFacts) {
    this.app = app
    this.name = facts.name
    this.#facts = facts
  }

  /** One push to each of the users from … to (exclusive); answers their task ids. */
  async push(from: number, to: number, more: object = {}): Promise<string[]> {
    const send = async (user: number) => {
      const body = { targets: [`u${user}`], pushMessage: { title: 'lab', content: `to ${user}` }, ...more }
      const answer = await this.app.call('POST', 'push/single', body)
      return String(answer.headers['fanfare-task-id'])
    }
    const ids: string[] = []
    for (let start = from; start < to; start += 64) {
      const users = Array.from({ length: Math.min(64, to - start) }, (_, offset) => start + offset)
      ids.push(...(await Promise.all(users.map(send))))
    }
    return ids
  }

  /** The first `count` users, a hundred in one push. */
  async pushMany(count: number): Promise<string[]> {
    const ids: string[] = []
    for (let start = 0; start < count; start += 100) {
      const targets = Array.from({ length: Math.min(100, count - start) }, (_, offset) => `u${start + offset}`)
      const body = { targets, pushMessage: { title: 'lab', content: 'to many' } }
      const answer = await this.app.call('POST', 'push/single', body)
      ids.push(String(answer.headers['fanfare-task-id']))
    }
    return ids
  }

  /** Waits for the end of all tasks; answers their pages. */
  async done(taskIds: readonly string[], withinMs = 120_000): Promise<TaskView[]> {
    const views: TaskView[] = []
    for (const id of taskIds) views.push(await this.app.taskDone(id, { withinMs, everyMs: 200 }))
    return views
  }

  /** Sums of the pages' counts. */
  async counts(taskIds: readonly string[], withinMs?: number): Promise<TaskView['counts']> {
    const sums = { ASYNC_SUCCESS: 0, FAIL: 0, ERROR: 0, PENDING: 0 }
    for (const { counts } of await this.done(taskIds, withinMs)) {
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += counts[key]
    }
    return sums
  }

  /** Requests that came to this account, with the times of their arrival. */
  async arrivals(): Promise<{ timesMs: number[]; requests: number; members: number }> {
    const { timesMs, members } = await this.#facts.lab.simulator.arrivals(this.#facts.platform as 'fcm', this.account)
    return { timesMs, requests: timesMs.length, members: members.reduce((sum, count) => sum + count, 0) }
  }

  /** Tokens that took a message, and messages more than one each. Every token belongs to one tenant. */
  async delivered(): Promise<{ unique: number; duplicates: number }> {
    const mark = `-${this.name}-`
    const all = await this.#facts.lab.simulator.tokens({ vendor: this.#facts.platform as 'fcm' })
    const taken = all.filter(({ token, accepted }) => accepted > 0 && token.includes(mark))
    return { unique: taken.length, duplicates: taken.reduce((sum, { accepted }) => sum + accepted - 1, 0) }
  }

  /** What the simulator's token endpoint calls this credential. */
  get issuer(): string {
    return `push@${this.name}.iam.gserviceaccount.com`
  }

  /** What the simulator calls this credential. */
  get account(): string {
    return this.#facts.platform === 'xiaomi' ? packageOf(this.name) : this.name
  }

  /** Devices that are still live. */
  async liveDevices(): Promise<number> {
    return (await this.app.fleet.openStore()).devices.count(this.#facts.channelId)
  }

  /** Why the channel is paused; undefined while it runs. */
  async pausedFor(): Promise<string | undefined> {
    const [channel] = await (await this.app.fleet.openStore()).channels.byIds([this.#facts.channelId])
    return channel?.pause && sentenceOfPause(channel.pause)
  }
}
