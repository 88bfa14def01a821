import { writeFile } from 'node:fs/promises'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { startMongo, tempDir } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { bindUsers, message, type Reply, type TestApi, type TestApp, testApi, xiaomi } from './test-api.ts'

jest.setTimeout(60_000)

/** Texts that a map, a store or a log might take for something else than text. */
const ODD = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '\ud800',
  'a\0b',
  '$where',
  'a.b',
  '%00',
  '\u2028',
]
const CHANNEL = '2882303761517'

/** Where an app may write a text, and how it is asked for: by a body, or by a path. */
type Place = { field: string; ask(app: TestApp, text: string): Promise<Reply>; sends?: boolean }

const push = (app: TestApp, pushMessage: unknown) => app.call('POST', 'push/sync/fine', { pushMessage })
/** As JSON text, because an object literal makes a prototype of `__proto__`. */
const withKey = (text: string, value: unknown = 'x'): object => Object.fromEntries([[text, value]])
const binding = (change: object) => ({ device_id: 'd', notifier_name: CHANNEL, device_token: 'ok-odd', ...change })
const inPath = (text: string) => (text === '\ud800' ? '%ed%a0%80' : encodeURIComponent(text))

const PLACES: readonly Place[] = [
  { field: 'pushMessage.title', ask: (app, text) => push(app, message({ title: text })), sends: true },
  { field: 'pushMessage.content', ask: (app, text) => push(app, message({ content: text })), sends: true },
  {
    field: 'pushMessage.subTitle',
    ask: (app, text) => push(app, message({ subTitle: text.slice(0, 10) })),
    sends: true,
  },
  { field: 'pushMessage.ext', ask: (app, text) => push(app, message({ ext: withKey(text) })), sends: true },
  { field: 'pushMessage.ext.k', ask: (app, text) => push(app, message({ ext: { k: text } })), sends: true },
  { field: 'pushMessage.ext.k', ask: (app, text) => push(app, message({ ext: { k: withKey(text) } })), sends: true },
  { field: 'pushMessage.xiaomi', ask: (app, text) => push(app, message({ xiaomi: withKey(text) })), sends: true },
  {
    field: 'pushMessage.xiaomi.extra',
    ask: (app, text) => push(app, message({ xiaomi: { extra: withKey(text) } })),
    sends: true,
  },
  { field: 'pushMessage', ask: (app, text) => push(app, message(withKey(text))), sends: true },
  {
    field: 'targets.0',
    ask: (app, text) => app.call('POST', 'push/single', { targets: [text], pushMessage: message() }),
  },
  { field: 'target', ask: (app, text) => app.call('POST', `push/async/${inPath(text)}`, { pushMessage: message() }) },
  { field: 'username', ask: (app, text) => app.call('PUT', `users/${inPath(text)}/push/binding`, binding({})) },
  { field: 'device_id', ask: (app, text) => app.call('PUT', 'users/odd/push/binding', binding({ device_id: text })) },
  {
    field: 'notifier_name',
    ask: (app, text) => app.call('PUT', 'users/odd/push/binding', binding({ notifier_name: text })),
  },
  {
    field: 'device_token',
    ask: (app, text) => app.call('PUT', 'users/odd/push/binding', binding({ device_token: text })),
  },
  { field: 'name', ask: (app, text) => app.call('POST', 'push/label', { name: text }) },
  {
    field: 'description',
    ask: (app, text) => app.call('POST', 'push/label', { name: `d${ODD.indexOf(text)}`, description: text }),
  },
  { field: 'label', ask: (app, text) => app.call('GET', `push/label/${inPath(text)}`) },
  { field: 'usernames.0', ask: (app, text) => app.call('POST', 'push/label/odd/user', { usernames: [text] }) },
  {
    field: 'targets.0',
    ask: (app, text) => app.call('POST', 'push/list/label', { targets: [text], pushMessage: message() }),
  },
  { field: 'name', ask: (app, text) => app.call('POST', 'notifiers', xiaomi(text)) },
  {
    field: 'packageName',
    ask: (app, text) => app.call('POST', 'notifiers', { ...xiaomi(`p${ODD.indexOf(text)}`), packageName: text }),
  },
  {
    field: 'xiaomiPushSettings',
    ask: (app, text) =>
      app.call('POST', 'notifiers', { ...xiaomi(`s${ODD.indexOf(text)}`), xiaomiPushSettings: withKey(text) }),
  },
  { field: 'notifier', ask: (app, text) => app.call('GET', `notifiers/${inPath(text)}`) },
  { field: 'taskId', ask: (app, text) => app.call('GET', `push/task/${inPath(text)}`) },
  { field: 'cursor', ask: (app, text) => app.call('GET', `push/label?cursor=${inPath(text)}`) },
  { field: '', ask: (app, text) => app.call('GET', `push/label?${inPath(text)}=1`) },
]

const mongo = await startMongo()
const STORES = [['SQLite', undefined] as const, ...(mongo ? [['MongoDB', mongo.url] as const] : [])]
afterAll(() => mongo?.stop())

describe.each(STORES)('odd texts on %s', (_, storeUrl) => {
  let simulator: Simulator
  let api: TestApi
  let app: TestApp

  beforeAll(async () => {
    simulator = await startSimulator()
    const vendorCa = `${await tempDir('ca')}/ca.pem`
    await writeFile(vendorCa, simulator.caPem)
    api = await testApi({ config: { vendorUrl: simulator.url, vendorCa }, ...(storeUrl && { storeUrl }) })
    app = await api.app()
    await bindUsers(app, { fine: 'ok-1' }, CHANNEL)
    await app.call('POST', 'push/label', { name: 'odd' })
  })
  afterAll(async () => {
    await api.close()
    await simulator.close()
  })

  /** What is taken is sent once and counted once; what is refused is sent to nobody. */
  async function isCounted(reply: Reply, sent: number): Promise<void> {
    expect(sent).toBe(reply.status === 200 ? 1 : 0)
    if (reply.status !== 200) return
    const task = await app.call('GET', `push/task/${reply.headers.get('fanfare-task-id')}`)
    expect(task.body['data']).toMatchObject({ state: 'done', planned: 1, counts: { ASYNC_SUCCESS: 1 } })
  }

  it.each(PLACES.map((place, index) => [`${place.field} (${index})`, place] as const))(
    '%s: each is refused by name or works',
    async (_name, { field, ask, sends }) => {
      for (const text of ODD) {
        const before = simulator.journal.counts('xiaomi').accepted
        const reply = await ask(app, text)
        const seen = `${JSON.stringify(text)}: ${reply.status} ${reply.text.slice(0, 200)}`
        expect(reply.status === 200 || (reply.status >= 400 && reply.status < 500) ? '' : seen).toBe('')
        if (reply.status === 400) expect(seen).toMatch(namesOf(field))
        if (sends) await isCounted(reply, simulator.journal.counts('xiaomi').accepted - before)
      }
    },
  )

  it('lists, and pushes to, what was taken', async () => {
    for (const user of ['constructor', 'tostring', 'hasownproperty']) {
      await bindUsers(app, { [user]: `ok-${user}` }, CHANNEL)
      const { body } = await app.call('POST', `push/sync/${user}`, { pushMessage: message() })
      expect(body['data']).toEqual([{ pushStatus: 'SUCCESS', data: expect.anything() }])
    }
    const labels = (await app.call('GET', 'push/label?limit=100')).body['data'] as {
      name: string
      description: string
    }[]
    expect(labels.map(({ name }) => name)).toEqual(expect.arrayContaining(['__proto__', 'constructor', 'a.b']))
    for (const { name, description } of labels) if (/^d\d/.test(name)) expect(ODD).toContain(description)
    for (const name of ['__proto__', 'constructor']) {
      const given = { usernames: ['constructor', 'tostring'] }
      expect((await app.call('POST', `push/label/${name}/user`, given)).body['data']).toMatchObject({
        success: given.usernames,
      })
      expect((await app.call('GET', `push/label/${name}`)).body['data']).toMatchObject({ name, count: 2 })
      const removed = await app.call('DELETE', `push/label/${name}/user`, { usernames: ['constructor', 'valueof'] })
      expect(removed.body['data']).toEqual({ success: ['constructor'], fail: { valueof: expect.any(String) } })
    }
  })
})

/** The field, or what it is part of; of a query the odd text is the name itself. */
const namesOf = (field: string): RegExp => new RegExp(field.split('.')[0] ?? field)
