import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import apn from 'apn'
import type { Simulator } from '../src/index.ts'
import { apnsToken, startSimulator } from '../src/index.ts'
import { ecKey, http1, http2, jwt, nowSeconds, openSession } from './support.ts'

const { privateKey, publicKey } = ecKey()
// Generous: the machines that run this share two cores.
jest.setTimeout(30_000)

let simulator: Simulator
let teams = 0

beforeAll(async () => {
  simulator = await startSimulator()
})
beforeEach(() => simulator.reset())
afterAll(() => simulator.close())

const newTeam = () => `TEAM${String(++teams).padStart(6, '0')}`
const bearer = (team: string, age = 0, kid = 'KEY0000001') =>
  `bearer ${jwt('ES256', { kid }, { iss: team, iat: nowSeconds() - age }, privateKey)}`

/** Headers of a plain alert, with changes; an empty string removes a header. */
function headersFor(token: string, changes: Record<string, string> = {}): Record<string, string> {
  const all = {
    ':path': `/3/device/${token}`,
    authorization: bearer(newTeam()),
    'apns-topic': 'com.example.app',
    ...changes,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))
}

/** One push on a session of its own. */
async function push(token: string, changes: Record<string, string> = {}, body = '{"aps":{"alert":"Hi"}}') {
  const session = openSession(simulator)
  try {
    return await http2(session, headersFor(token, changes), body)
  } finally {
    session.close()
  }
}

describe('answers', () => {
  it('goes by the hex-encoded name of the token', async () => {
    const expected: [string, number, string | undefined][] = [
      ['ok', 200, undefined],
      ['gone', 410, 'Unregistered'],
      ['bad', 400, 'BadDeviceToken'],
      ['busy', 429, 'TooManyRequests'],
      ['down', 503, 'ServiceUnavailable'],
      ['error', 500, 'InternalServerError'],
      ['refused', 413, 'PayloadTooLarge'],
      ['foreign', 400, 'DeviceTokenNotForTopic'],
      ['code-BadTopic', 400, 'BadTopic'],
    ]
    for (const [name, status, reason] of expected) {
      const answer = await push(apnsToken(name, 1))
      expect([name, answer.status, answer.json?.reason]).toEqual([name, status, reason])
    }
  })

  it('says since when a token is dead', async () => {
    const before = Date.now()
    expect((await push(apnsToken('gone', 1))).json.timestamp).toBeGreaterThanOrEqual(before)
    expect((await push(apnsToken('stale', 1))).json.timestamp).toBeLessThan(before - 300 * 24 * 3600_000)
  })

  it('echoes apns-id and makes one up', async () => {
    const id = '123e4567-e89b-12d3-a456-42665544000a'
    expect((await push(apnsToken('ok', 1), { 'apns-id': id })).headers['apns-id']).toBe(id)
    expect((await push(apnsToken('ok', 1))).headers['apns-id']).toMatch(/^[0-9A-F-]{36}$/)
  })

  it('checks every header and the payload', async () => {
    const ok = apnsToken('ok', 1)
    const cases: [string, string, Record<string, string>, string?][] = [
      ['BadDeviceToken', 'xyz', {}],
      ['MissingDeviceToken', '', {}],
      ['MissingTopic', ok, { 'apns-topic': '' }],
      ['BadMessageId', ok, { 'apns-id': 'no-uuid' }],
      ['BadExpirationDate', ok, { 'apns-expiration': 'soon' }],
      ['BadPriority', ok, { 'apns-priority': '7' }],
      ['BadPriority', ok, { 'apns-push-type': 'background', 'apns-priority': '10' }],
      ['BadPriority', ok, { 'apns-push-type': 'background' }],
      ['InvalidPushType', ok, { 'apns-push-type': 'shout' }],
      ['TopicDisallowed', ok, { 'apns-push-type': 'voip' }],
      ['BadCollapseId', ok, { 'apns-collapse-id': 'x'.repeat(65) }],
      ['PayloadEmpty', ok, {}, ''],
      ['PayloadTooLarge', ok, {}, JSON.stringify({ aps: {}, pad: 'x'.repeat(4096) })],
      ['MethodNotAllowed', ok, { ':method': 'PUT' }],
      ['BadPath', ok, { ':path': '/3/devices/1' }],
      ['MissingProviderToken', ok, { authorization: '' }],
      ['InvalidProviderToken', ok, { authorization: 'bearer x.y.z' }],
      ['ExpiredProviderToken', ok, { authorization: bearer(newTeam(), 3700) }],
    ]
    for (const [reason, token, headers, body] of cases) {
      expect([reason, (await push(token, headers, body)).json?.reason]).toEqual([reason, reason])
    }
    const background = { 'apns-push-type': 'background', 'apns-priority': '5' }
    expect((await push(ok, background)).status).toBe(200)
    expect((await push(ok, { 'apns-push-type': 'voip', 'apns-topic': 'com.example.app.voip' })).status).toBe(200)
  })

  it('is not to be had over HTTP/1.1', async () => {
    expect((await http1(simulator, `/3/device/${apnsToken('ok', 1)}`)).status).toBe(505)
  })
})

describe('provider tokens', () => {
  it('may change once in 20 minutes per team', async () => {
    const team = newTeam()
    const [first, second] = [bearer(team, 10), bearer(team, 5)]
    const ok = apnsToken('ok', 1)
    expect((await push(ok, { authorization: first })).status).toBe(200)
    expect((await push(ok, { authorization: second })).json.reason).toBe('TooManyProviderTokenUpdates')
    expect((await push(ok, { authorization: first })).status).toBe(200)
    simulator.settings.apnsTokenUpdateSeconds = 0
    expect((await push(ok, { authorization: second })).status).toBe(200)
    simulator.settings.apnsTokenUpdateSeconds = 1200
  })

  it('belong to one key per connection', async () => {
    const session = openSession(simulator)
    const ok = apnsToken('ok', 1)
    expect((await http2(session, headersFor(ok), '{}')).status).toBe(200)
    expect((await http2(session, headersFor(ok), '{}')).json.reason).toBe('UnrelatedKeyIdInToken')
    session.close()
  })

  it('are verified once the key is known', async () => {
    simulator.trustKey('KNOWN00001', publicKey)
    const ok = apnsToken('ok', 1)
    expect((await push(ok, { authorization: bearer(newTeam(), 0, 'KNOWN00001') })).status).toBe(200)
    const forged = `bearer ${jwt('ES256', { kid: 'KNOWN00001' }, { iss: newTeam(), iat: nowSeconds() }, ecKey().privateKey)}`
    expect((await push(ok, { authorization: forged })).json.reason).toBe('InvalidProviderToken')
  })
})

describe('connections', () => {
  it('announces the number of streams it allows', async () => {
    simulator.settings.maxConcurrentStreams = 7
    simulator.settings.firstStreams = 1
    const session = openSession(simulator)
    const limits: (number | undefined)[] = []
    session.on('remoteSettings', ({ maxConcurrentStreams }) => limits.push(maxConcurrentStreams))
    await http2(session, headersFor(apnsToken('ok', 1)), '{}')
    await new Promise((resolve) => session.ping(resolve))
    expect(limits.filter((limit, i) => limit !== limits[i - 1]).slice(-2)).toEqual([1, 7])
    Object.assign(simulator.settings, { maxConcurrentStreams: 1000, firstStreams: 0 })
    session.close()
  })

  it('sends GOAWAY: what was taken is answered, the rest is refused and not in the journal', async () => {
    simulator.faults.set({ vendor: 'apns', kind: 'goaway', everyNth: 30 })
    const session = openSession(simulator)
    const authorization = bearer(newTeam())
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) =>
        http2(session, headersFor(apnsToken('ok', i), { authorization }), '{"aps":{}}'),
      ),
    )
    const sent = results.filter(({ status }) => status === 'fulfilled').length
    expect(sent).toBe(simulator.journal.counts('apns').accepted)
    expect(sent).toBeGreaterThanOrEqual(30)
    expect(sent).toBeLessThan(100)
  })

  it('takes a push of apn, the library', async () => {
    const { hostname, port } = new URL(simulator.url)
    const provider = new apn.Provider({
      token: { key: privateKey, keyId: 'KEY0000001', teamId: newTeam() },
      ...{ address: hostname, port: Number(port), ca: [simulator.caPem], connectionRetryLimit: 0 },
    })
    const notification = new apn.Notification({ alert: { title: 'Hi', body: 'Text' }, topic: 'com.example.app' })
    const result = await provider.send(notification, [apnsToken('ok', 1), apnsToken('gone', 1)])
    expect(result.sent).toHaveLength(1)
    expect(result.failed).toMatchObject([{ status: 410, response: { reason: 'Unregistered' } }])
    await provider.shutdown()
  })
})
