import { type FleetPlatform, notifierBody } from './credentials.ts'
import type { Fleet } from './fleet.ts'
import { type HttpAnswer, HttpClient } from './http.ts'
import { until } from './tools.ts'

/** What a task's page says (GET …/push/task/{id}). */
export type TaskView = {
  state: string
  planned: number
  total: number
  planComplete: boolean
  counts: { ASYNC_SUCCESS: number; FAIL: number; ERROR: number; PENDING: number }
  reasons: Record<string, number>
} & Record<string, unknown>

/** Members with a final status. */
export const countedOf = ({ counts }: TaskView): number => counts.ASYNC_SUCCESS + counts.FAIL + counts.ERROR

type Where = { org: string; name: string }

/** One app of a fleet and its token: what a customer would do over HTTP. */
export class FleetApp {
  readonly fleet: Fleet
  readonly path: string
  readonly token: string
  readonly http: HttpClient

  private constructor(fleet: Fleet, path: string, token: string, http: HttpClient) {
    this.fleet = fleet
    this.path = path
    this.token = token
    this.http = http
  }

  /** Makes the app by the operator's route, and takes a token by its client credentials. */
  static async create(fleet: Fleet, where: Where = { org: 'demo', name: 'demo' }): Promise<FleetApp> {
    const http = new HttpClient()
    const made = await http.ok({
      method: 'POST',
      url: fleet.api.url,
      path: '/admin/apps',
      token: fleet.operatorToken,
      body: { org_name: where.org, app_name: where.name },
    })
    const secrets = (made.body as { data: { client_id: string; client_secret: string } }).data
    const path = `/${where.org}/${where.name}`
    const body = { grant_type: 'client_credentials', ...secrets }
    const answer = await http.ok({ method: 'POST', url: fleet.api.url, path: `${path}/token`, body })
    return new FleetApp(fleet, path, (answer.body as { access_token: string }).access_token, http)
  }

  /** A call below `/{org}/{app}`; rejects where the status is not 2xx. */
  call(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    return this.http.ok(this.#request(method, path, body))
  }

  /** As `call`, but every status is an answer. */
  tryCall(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<HttpAnswer> {
    return this.http.call({ ...this.#request(method, path, body), ...(headers ? { headers } : {}) })
  }

  /** A channel to the simulator with no limit unless `limits` says otherwise. Answers the channel's id in the store. */
  async addNotifier(platform: FleetPlatform, name: string, limits?: object): Promise<string> {
    await this.call('POST', 'notifiers', notifierBody(platform, name))
    await this.call('PATCH', `notifiers/${name}`, { limits: limits ?? { rate: 0 } })
    return this.channelId(name)
  }

  async channelId(name: string): Promise<string> {
    const store = await this.fleet.openStore()
    const channel = (await store.channels.ofApp(await this.appId())).find((each) => each.name === name)
    if (!channel) throw new Error(`no channel ${name} in ${this.path}`)
    return channel.id
  }

  async appId(): Promise<string> {
    const [, org = '', name = ''] = this.path.split('/')
    const app = await (await this.fleet.openStore()).apps.byName(org, name)
    if (!app) throw new Error(`no app ${this.path}`)
    return app.id
  }

  /** Lifts the limits on tasks of this app, as an operator does for a big sender. */
  async liftTaskLimits(): Promise<void> {
    await this.http.ok({
      method: 'PATCH',
      url: this.fleet.api.url,
      path: `/admin/apps${this.path}`,
      token: this.fleet.operatorToken,
      body: { maxRunningTasks: 1000, maxTasksPer5Min: 100_000, maxBacklog: 1_000_000 },
    })
  }

  async task(taskId: string): Promise<TaskView> {
    const { body } = await this.call('GET', `push/task/${taskId}`)
    return (body as { data: TaskView }).data
  }

  /** Waits for the task's end; asks every `everyMs`. */
  taskDone(taskId: string, { withinMs = 120_000, everyMs = 100 } = {}): Promise<TaskView> {
    const ask = async () => {
      const task = await this.task(taskId)
      return ['done', 'cancelled', 'failed'].includes(task.state) ? task : undefined
    }
    return until(`task ${taskId} is done`, ask, { withinMs, everyMs })
  }

  #request(method: string, path: string, body: unknown) {
    const url = this.fleet.api.url
    return { method, url, path: `${this.path}/${path}`, token: this.token, ...(body === undefined ? {} : { body }) }
  }
}
