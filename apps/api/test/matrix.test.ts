import { createSecretKey, hkdfSync, randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { tempDir } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import jwt from 'jsonwebtoken'
import type { Route } from '../src/http/route.ts'
import { ROUTES } from '../src/routes/index.ts'
import { bindUsers, message, OPERATOR, type Reply, type TestApi, type TestApp, testApi, xiaomi } from './test-api.ts'

jest.setTimeout(60_000)

/** Everything an app may have; what is secret of it stands in no request of another app. */
type Victim = { app: TestApp; id: string; taskId: string; singleId: string; channelId: string; cursor: string }
const NAMES = {
  notifier: 'victim-notifier',
  label: 'victim-label',
  user: 'victim-user',
  device: 'phone-of-victim-user',
}
const SECRETS = ['ok-victim-token', 'Victim title', 'Victim description', 'victim.package']

/** What another app names of the victim's, below its own path and with its own token, and what it is answered. */
type Foreign = {
  what: string
  params?: Readonly<Record<string, string>>
  query?: string
  body?: object
  headers?: Readonly<Record<string, string>>
  status: number
  /** What the victim itself is answered: the request is a good one. */
  own?: number
}
type Entry = (victim: Victim) => readonly Foreign[]

const push = { pushMessage: message() }
const none: Entry = () => [{ what: 'nothing of it', status: 200 }]
const task = (body?: object): Entry => {
  return ({ taskId, singleId }) => [
    { what: 'task', params: { taskId }, status: 404, ...(body && { body }) },
    { what: 'single push', params: { taskId: singleId }, status: 404, ...(body && { body }) },
  ]
}
const notifier = (body?: object): Entry => {
  return ({ channelId }) => [
    { what: 'notifier by id', params: { notifier: channelId }, status: 404, ...(body && { body }) },
    { what: 'notifier by name', params: { notifier: NAMES.notifier }, status: 404, ...(body && { body }) },
  ]
}
const label = (body?: object): Entry => {
  return () => [
    { what: 'label', params: { label: NAMES.label, username: NAMES.user }, status: 400, ...(body && { body }) },
  ]
}
const users = { usernames: [NAMES.user] }

/**
 * One entry per route below /{org}/{app}, and per open one. A user id is a name that every app may have: pushing to
 * that of the victim is a push to nobody.
 */
const ENTRIES: Readonly<Record<string, Entry>> = {
  'POST /push/single': ({ app }) => [
    { what: 'user', body: { ...push, targets: [NAMES.user] }, status: 200 },
    {
      what: 'idempotency key',
      body: { ...push, targets: [NAMES.user] },
      headers: { 'Idempotency-Key': `key${app.path}` },
      status: 200,
      own: 422,
    },
  ],
  'POST /push/async/:target': () => [{ what: 'user', params: { target: NAMES.user }, body: push, status: 200 }],
  'POST /push/sync/:target': () => [{ what: 'user', params: { target: NAMES.user }, body: push, status: 200 }],
  'POST /token': ({ app }) => [
    {
      what: 'client id and secret',
      body: { grant_type: 'client_credentials', client_id: app.clientId, client_secret: app.clientSecret },
      status: 400,
    },
  ],
  'DELETE /token': none,
  'POST /push/list/label': () => [{ what: 'label', body: { ...push, targets: [NAMES.label] }, status: 400 }],
  'POST /push/list': () => [{ what: 'user', body: { ...push, targets: [NAMES.user] }, status: 200 }],
  'POST /push/task': () => [{ what: 'nothing of it', body: push, status: 200 }],
  'GET /push/tasks': none,
  'GET /push/task/:taskId': task(),
  'PATCH /push/task/:taskId': task({ rate: 5 }),
  'GET /push/task/:taskId/results': task(),
  'POST /push/task/:taskId/pause': task(),
  'POST /push/task/:taskId/resume': task(),
  'POST /push/task/:taskId/cancel': task(),
  'POST /push/label': () => [{ what: 'name of a label', body: { name: NAMES.label }, status: 200, own: 400 }],
  'GET /push/label': ({ cursor }) => [{ what: 'cursor', query: `?cursor=${cursor}`, status: 200 }],
  'GET /push/label/:label': label(),
  'DELETE /push/label/:label': label(),
  'POST /push/label/:label/user': label(users),
  'GET /push/label/:label/user': label(),
  'DELETE /push/label/:label/user': label(users),
  'GET /push/label/:label/user/:username': label(),
  'PUT /users/:username/push/binding': () => [
    {
      what: 'user, device and notifier',
      params: { username: NAMES.user },
      body: { device_id: NAMES.device, notifier_name: NAMES.notifier, device_token: 'ok-other' },
      status: 400,
    },
    {
      what: 'user and device, to be unbound',
      params: { username: NAMES.user },
      body: { device_id: NAMES.device, notifier_name: '', device_token: '' },
      status: 200,
    },
  ],
  'GET /users/:username/push/binding': () => [{ what: 'user', params: { username: NAMES.user }, status: 400 }],
  'GET /notifiers': none,
  'POST /notifiers': () => [{ what: 'name of a notifier', body: xiaomi(NAMES.notifier), status: 200, own: 409 }],
  'GET /notifiers/:notifier': notifier(),
  'PATCH /notifiers/:notifier': notifier({ disabled: true }),
  'DELETE /notifiers/:notifier': notifier(),
  'POST /notifiers/:notifier/resume': notifier(),
  ...{ 'GET /': none, 'GET /health/live': none, 'GET /health/ready': none },
}

let simulator: Simulator
let api: TestApi
let victim: Victim
let other: TestApp
let tokens: Readonly<Record<string, string | undefined>>
let victimTokens: Readonly<Record<string, string | undefined>>

beforeAll(async () => {
  simulator = await startSimulator()
  const vendorCa = `${await tempDir('ca')}/ca.pem`
  await writeFile(vendorCa, simulator.caPem)
  api = await testApi({ config: { vendorUrl: simulator.url, vendorCa } })
  victim = await makeVictim()
  other = await api.app()
  const revoked = await tokenOf(other)
  await api.ask('DELETE', `${other.path}/token`, { token: revoked })
  const own = await tokenOf(victim.app)
  await api.ask('DELETE', `${victim.app.path}/token`, { token: own })
  tokens = {
    'no token': undefined,
    "another app's": other.token,
    "another app's, revoked": revoked,
    "another app's, for it": await signed(other, { aud: victim.app.path.slice(1) }),
    "the operator's": OPERATOR,
    'no token at all': 'YWMtabc',
  }
  victimTokens = { 'its own, expired': await signed(victim.app, { exp: 1 }), 'its own, revoked': own }
})
afterAll(async () => {
  await api.close()
  await simulator.close()
})

const keyOf = ({ method, path }: Route): string => `${method} ${path}`
const below = (path: string, params: Foreign['params'] = {}): string =>
  path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? 'x'))
const bodyOf = (route: Route, { body }: Foreign) => body ?? (route.body === 'none' ? undefined : {})

async function ask(route: Route, foreign: Foreign, by: { prefix: string; token: string | undefined }): Promise<Reply> {
  const body = bodyOf(route, foreign)
  const { token, prefix } = by
  return api.ask(route.method, prefix + below(route.path, foreign.params) + (foreign.query ?? ''), {
    ...(token !== undefined && { token }),
    ...(body && { body }),
    ...(foreign.headers && { headers: foreign.headers }),
  })
}

const tokenOf = async (app: TestApp): Promise<string> => {
  const body = { grant_type: 'client_credentials', client_id: app.clientId, client_secret: app.clientSecret }
  return String((await api.ask('POST', `${app.path}/token`, { body })).body['access_token'])
}

/** A token that this server could have made, but did not. */
async function signed(app: TestApp, claims: object): Promise<string> {
  const { masterKey } = api.api.ctx.config
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', masterKey, '', 'fanfare app tokens', 32)))
  const { sub } = jwt.decode(app.token) as { sub: string }
  return jwt.sign({ sub, jti: randomUUID(), aud: app.path.slice(1), iss: 'fanfare', ...claims }, key)
}

async function makeVictim(): Promise<Victim> {
  const app = await api.app()
  await app.call('POST', 'notifiers', { ...xiaomi(NAMES.notifier), packageName: 'victim.package' })
  await bindUsers(app, { [NAMES.user]: 'ok-victim-token' }, NAMES.notifier)
  await app.call('POST', 'push/label', { name: NAMES.label, description: 'Victim description' })
  await app.call('POST', 'push/label', { name: `${NAMES.label}-2`, description: 'Victim description' })
  await app.call('POST', `push/label/${NAMES.label}/user`, { usernames: [NAMES.user] })
  const said = message({ title: 'Victim title' })
  const key = { 'Idempotency-Key': `key${app.path}` }
  const single = await app.call('POST', 'push/single', { targets: [NAMES.user], pushMessage: said }, key)
  const startDate = startsSoon()
  const made = await app.call('POST', 'push/task', { pushMessage: said, startDate })
  const notifiers = (await app.call('GET', 'notifiers')).body['entities'] as { uuid: string }[]
  const page = await app.call('GET', 'push/label?limit=1')
  return {
    app,
    id: (jwt.decode(app.token) as { sub: string }).sub,
    taskId: String(made.headers.get('fanfare-task-id')),
    singleId: String(single.headers.get('fanfare-task-id')),
    channelId: String(notifiers[0]?.uuid),
    cursor: String(page.body['cursor']),
  }
}

/** Tomorrow, whatever the server's zone. */
const startsSoon = (): string => new Date(Date.now() + 48 * 3600_000).toISOString().slice(0, 19).replace('T', ' ')

/** All that the store has of an app, and what its device was sent. */
async function dump({ app, id, taskId, singleId }: Victim): Promise<string> {
  const { store } = api
  const channels = await store.channels.ofApp(id)
  const { labels } = await store.labels.page(id, 100)
  const tasks = [taskId, singleId]
  const asked = { appId: id, userId: NAMES.user }
  const parts = [
    await store.apps.byIds([id]),
    channels,
    await Promise.all(channels.map((channel) => store.channels.credential(channel.id))),
    labels,
    await Promise.all(labels.map((each) => store.labels.members(each.id, 100))),
    await store.devices.ofUsers([asked]),
    await store.devices.usersExist([asked]),
    await store.tasks.page(id, { page: 1, size: 100 }),
    await store.tasks.byIds(tasks),
    await Promise.all(tasks.map((each) => store.chunks.ofTask(each, { limit: 100 }))),
    await Promise.all(tasks.map((each) => store.tasks.counts(each))),
    await store.tasks.byKey(id, `key${app.path}`),
  ]
  return JSON.stringify([...parts, simulator.journal.arrivalsOf('xiaomi', 'ok-victim-token').length])
}

/** Runs what another app does; nothing of the victim may differ afterwards, and none of its secrets be told. */
async function harmless(act: () => Promise<Reply>, status: number): Promise<void> {
  const before = await dump(victim)
  const reply = await act()
  expect({ status: reply.status, text: reply.text }).toMatchObject({ status })
  expect(SECRETS.filter((secret) => reply.text.includes(secret))).toEqual([])
  expect(await dump(victim)).toBe(before)
}

it('has an entry for every route that an app may call, and for no other', () => {
  const routes = ROUTES.filter((route) => route.policy !== 'operator').map(keyOf)
  expect(Object.keys(ENTRIES).sort()).toEqual(routes.sort())
})

describe.each(ROUTES.map((route) => [keyOf(route), route] as const))('%s', (key, route) => {
  const rows = () => (ENTRIES[key] ?? none)(victim)

  if (route.policy === 'operator') {
    it("refuses everyone but the operator, also the victim's own app", async () => {
      const params = { org: victim.app.path.split('/')[1] ?? '', app: victim.app.path.split('/')[2] ?? '' }
      for (const token of [...Object.entries(tokens), ['its own', victim.app.token] as const]) {
        if (token[1] === OPERATOR) continue
        await harmless(() => ask(route, { what: '', params, status: 401 }, { prefix: '', token: token[1] }), 401)
      }
    })
    return
  }

  if (route.policy === 'open') {
    it('tells nothing of an app', async () => {
      for (const token of Object.values(tokens))
        await harmless(() => ask(route, { what: '', status: 200 }, { prefix: '', token }), 200)
    })
    return
  }

  if (route.policy === 'tenant') {
    it("refuses every token but its own below the victim's path", async () => {
      for (const foreign of rows()) {
        for (const token of [...Object.values(tokens), ...Object.values(victimTokens)]) {
          for (const prefix of [victim.app.path, `/app-id/${victim.id}`])
            await harmless(() => ask(route, foreign, { prefix, token }), 401)
        }
      }
    })
  }

  it("answers another app that names the victim's things as documented", async () => {
    for (const foreign of rows()) {
      const { path: prefix, token } = await api.app()
      await harmless(() => ask(route, foreign, { prefix, token }), foreign.status)
    }
  })

  it('answers the victim itself: the requests are good ones', async () => {
    for (const [index] of rows().entries()) {
      const owner = await makeVictim()
      const foreign = (ENTRIES[key] ?? none)(owner)[index]
      if (!foreign) continue
      const { status, text } = await ask(route, foreign, { prefix: owner.app.path, token: owner.app.token })
      expect({ status, text }).toMatchObject({ status: foreign.own ?? 200 })
    }
  })
})
