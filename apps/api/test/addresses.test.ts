import { createServer } from 'node:net'
import { openAddressGuard, readAllowedAddresses } from '@fanfare/platforms'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parameter, refusal } from './refusals.ts'
import { message, type TestApi, type TestApp, testApi } from './test-api.ts'

let simulator: Simulator
let api: TestApi
let app: TestApp
/** What DNS says of a name; the others do not exist. */
const dns = new Map<string, string[]>([
  ['smtp.example.com', ['8.8.8.8']],
  ['inside.example.com', ['10.0.0.5']],
  ['half.example.com', ['8.8.8.8', '127.0.0.1']],
])

beforeAll(async () => {
  simulator = await startSimulator()
  const resolve = (name: string) => {
    const addresses = dns.get(name)
    return addresses ? Promise.resolve(addresses) : Promise.reject(new Error('no such name'))
  }
  const allowed = readAllowedAddresses(`127.0.0.1:${simulator.smtp.port}`)
  api = await testApi({ overrides: { guard: openAddressGuard({ allowed, resolve }) } })
  app = await api.app()
})
afterAll(async () => {
  await api.close()
  await simulator.close()
})

const mail = (name: string, settings: object) => ({
  ...{ name, provider: 'EMAIL', certificate: 'pw' },
  emailSettings: { host: 'smtp.example.com', from: 'news@example.com', ...settings },
})
const noHost = parameter('emailSettings.host: must be the name of a server or its plain IP address')
const notPublic = parameter('emailSettings.host: is not a public address')

describe('the mail server of a notifier', () => {
  it.each([
    ['0x7f.1', noHost],
    ['2130706433', noHost],
    ['127.1', noHost],
    ['0xa9fea9fe', noHost],
    ['[::1]', noHost],
    ['smtp.example.com:6379', noHost],
    ['localhost', notPublic],
    ['redis', notPublic],
    ['metadata.google.internal', notPublic],
    ['127.0.0.1', notPublic],
    ['169.254.169.254', notPublic],
    ['::ffff:127.0.0.1', notPublic],
    ['inside.example.com', notPublic],
    ['half.example.com', notPublic],
  ])('is refused as %s, and nothing is written', async (host, expected) => {
    const before = api.writes()
    expect(refusal(await app.call('POST', 'notifiers', mail('evil', { host })))).toEqual(expected)
    expect(api.writes()).toBe(before)
  })

  it.each([22, 6379, 99_999, 'x'])('is refused on port %p', async (port) => {
    const reply = await app.call('POST', 'notifiers', mail('evil', { port }))
    expect(refusal(reply)).toEqual(parameter('emailSettings.port: must be one of 25, 465, 587, 2525'))
  })

  it('is refused in a change too, and what stood there stays', async () => {
    await app.call('POST', 'notifiers', mail('changed', {}))
    const reply = await app.call('PATCH', 'notifiers/changed', { emailSettings: { host: 'inside.example.com' } })
    expect(refusal(reply)).toEqual(notPublic)
    const shown = await app.call('GET', 'notifiers/changed')
    expect(shown.body).toMatchObject({ entities: [{ emailSettings: { host: 'smtp.example.com' } }] })
  })

  it('is taken where its name does not resolve yet', async () => {
    expect((await app.call('POST', 'notifiers', mail('later', { host: 'new.example.org' }))).status).toBe(200)
  })

  it('is asked for anew at each connection: a name that was public once leads nowhere inside', async () => {
    let reached = 0
    const { port } = simulator.smtp
    const inside = createServer(() => reached++)
    await new Promise<void>((resolve) => inside.listen(port, '127.0.0.2', resolve))
    const settings = { host: 'moving.example.com', port, security: 'none' }
    dns.set('moving.example.com', ['127.0.0.1'])
    expect((await app.call('POST', 'notifiers', mail('moving', settings))).status).toBe(200)
    const bound = { device_id: 'd', notifier_name: 'moving', device_token: 'ok-1@example.com' }
    await app.call('PUT', 'users/u/push/binding', bound)
    expect(await pushed()).toMatchObject([{ pushStatus: 'SUCCESS' }])
    dns.set('moving.example.com', ['127.0.0.2'])
    // A change opens a new connection, as an idle one that has ended does.
    await app.call('PATCH', 'notifiers/moving', { limits: { rate: 0 } })
    expect(await pushed()).toEqual([{ pushStatus: 'FAIL', desc: 'invalid notifier' }])
    expect([reached, simulator.journal.counts('email').accepted]).toEqual([0, 1])
    await new Promise((resolve) => inside.close(resolve))
  })
})

const pushed = async () => (await app.call('POST', 'push/sync/u', { pushMessage: message() })).body['data']
