import { apnsToken } from '@fanfare/simulator'
import { type FleetPlatform, HttpClient, notifierBody } from '@fanfare/testkit'
import type { openKeys } from './keys.ts'

type Body = { data?: unknown; entities?: unknown[] } & Record<string, unknown>
export type DemoDevice = { user: string; platform: FleetPlatform; token: string }

export const APP_PATH = '/demo/demo'
/** One user per platform; the token's name tells the simulator what to answer. */
export const DEMO_DEVICES: readonly DemoDevice[] = [
  { user: 'alice', platform: 'fcm', token: 'ok-alice' },
  { user: 'bob', platform: 'xiaomi', token: 'ok-bob' },
  { user: 'carol', platform: 'huawei', token: 'ok-carol' },
  { user: 'dave', platform: 'apns', token: apnsToken('ok', 1) },
  { user: 'erin', platform: 'email', token: 'ok-erin@example.org' },
  { user: 'frank', platform: 'wecom', token: 'ok-frank' },
]
/** A device whose app was removed: the vendor says so, and Fanfare forgets the token. */
export const DEAD_DEVICE: DemoDevice = { user: 'gina', platform: 'fcm', token: 'gone-gina' }

/** The demo's app, reached as a customer reaches it: over HTTP with an app token. */
export class DemoApp {
  readonly url: string
  readonly token: string
  readonly #http: HttpClient

  private constructor(url: string, token: string, http: HttpClient) {
    this.url = url
    this.token = token
    this.#http = http
  }

  /** Makes the app `demo/demo` at the first run and finds it again at the next; answers with a token. */
  static async open(url: string, { keys, save }: ReturnType<typeof openKeys>): Promise<DemoApp> {
    const http = new HttpClient()
    const operator = { url, token: keys.operatorToken }
    if (!keys.demo) save({ demo: await createApp(http, operator) })
    const settings = { maxRunningTasks: 100, maxTasksPer5Min: 1000 } as const
    await http.ok({ method: 'PATCH', path: '/admin/apps/demo/demo', ...operator, body: settings })
    const body = {
      grant_type: 'client_credentials',
      client_id: keys.demo?.clientId,
      client_secret: keys.demo?.clientSecret,
    }
    const answer = await http.ok({ method: 'POST', url, path: `${APP_PATH}/token`, body })
    return new DemoApp(url, (answer.body as { access_token: string }).access_token, http)
  }

  /** A call below `/demo/demo`; rejects where the status is not 2xx. */
  async call(method: string, path: string, body?: unknown): Promise<{ body: Body; taskId: string }> {
    const call = { method, url: this.url, path: `${APP_PATH}/${path}`, token: this.token }
    const answer = await this.#http.ok(body === undefined ? call : { ...call, body })
    return { body: answer.body as Body, taskId: String(answer.headers['fanfare-task-id'] ?? '') }
  }

  /** Uploads one notifier per platform; those that are there already stay. */
  async addNotifiers(platforms: readonly FleetPlatform[]): Promise<void> {
    const { body } = await this.call('GET', 'notifiers')
    const there = new Set((body.entities as { name: string }[]).map((notifier) => notifier.name))
    for (const platform of platforms) {
      if (!there.has(notifierName(platform)))
        await this.call('POST', 'notifiers', notifierBody(platform, notifierName(platform)))
    }
  }

  async bind(devices: readonly DemoDevice[]): Promise<void> {
    const rest = [...devices]
    const next = async (): Promise<void> => {
      for (let device = rest.pop(); device; device = rest.pop()) {
        await this.call('PUT', `users/${device.user}/push/binding`, {
          device_id: `${device.user}-phone`,
          notifier_name: notifierName(device.platform),
          device_token: device.token,
        })
      }
    }
    await Promise.all(Array.from({ length: 32 }, next))
  }

  close(): void {
    this.#http.close()
  }
}

const notifierName = (platform: FleetPlatform): string => `demo-${platform}`

async function createApp(http: HttpClient, operator: { url: string; token: string }) {
  const body = { org_name: 'demo', app_name: 'demo' }
  const made = await http.ok({ method: 'POST', path: '/admin/apps', ...operator, body })
  const secrets = (made.body as { data: { client_id: string; client_secret: string } }).data
  return { clientId: secrets.client_id, clientSecret: secrets.client_secret }
}
