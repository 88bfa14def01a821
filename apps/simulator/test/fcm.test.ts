import http2Module from 'node:http2'
import { Agent } from 'node:https'
import { connect as tlsConnect } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { deleteApp, initializeApp } from 'firebase-admin/app'
import { getMessaging } from 'firebase-admin/messaging'
import type { Simulator } from '../src/index.ts'
import { startSimulator } from '../src/index.ts'
import { http1, http2, jwt, nowSeconds, openSession, rsaKey } from './support.ts'

const SEND = '/v1/projects/demo/messages:send'
const HEADERS = { authorization: 'Bearer ok-test', 'content-type': 'application/json' }
// Generous: the machines that run this share two cores.
jest.setTimeout(30_000)

let simulator: Simulator

beforeAll(async () => {
  simulator = await startSimulator()
})
beforeEach(() => simulator.reset())
afterAll(() => simulator.close())

function send(message: object, extra: object = {}) {
  return http1(simulator, SEND, { headers: HEADERS, body: JSON.stringify({ message, ...extra }) })
}
const to = (token: string) => ({ token, notification: { title: 'Hi', body: 'Text' } })

describe('messages:send', () => {
  it('answers by the name of the token', async () => {
    const expected: [string, number, string | undefined][] = [
      ['ok-1', 200, undefined],
      ['any-other-token', 200, undefined],
      ['gone-1', 404, 'UNREGISTERED'],
      ['bad-1', 400, 'INVALID_ARGUMENT'],
      ['busy-1', 429, 'QUOTA_EXCEEDED'],
      ['down-1', 503, 'UNAVAILABLE'],
      ['error-1', 500, 'INTERNAL'],
      ['foreign-1', 403, 'SENDER_ID_MISMATCH'],
      ['code-THIRD_PARTY_AUTH_ERROR-1', 401, 'THIRD_PARTY_AUTH_ERROR'],
    ]
    for (const [token, status, errorCode] of expected) {
      const answer = await send(to(token))
      expect([token, answer.status, answer.json.error?.details[0]?.errorCode]).toEqual([token, status, errorCode])
    }
    expect((await send(to('busy-1'))).headers['retry-after']).toBe('1')
    expect((await send(to('ok-1'))).json.name).toMatch(/^projects\/demo\/messages\/0:\d+/)
  })

  it('is busy for the given number of requests only', async () => {
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await send(to('busy-2-a'))).status)
    expect(statuses).toEqual([429, 429, 200, 200])
  })

  it('refuses what FCM refuses, naming the field', async () => {
    const violation = async (message: object) => {
      const { status, json } = await send(message)
      return [status, json.error?.details?.[0]?.fieldViolations[0]?.field ?? json.error?.message]
    }
    expect(await violation({ ...to('ok-1'), data: { n: 1 } })).toEqual([400, 'message.data[0].value'])
    expect(await violation({ ...to('ok-1'), android: { ttl: 3600 } })).toEqual([400, 'message.android.ttl'])
    expect(await violation({ ...to('ok-1'), android: { ttl: '9999999s' } })).toEqual([400, 'message.android.ttl'])
    expect(await violation({ notification: { title: 'Hi' } })).toEqual([400, 'message'])
    expect(await violation({ ...to('ok-1'), topic: 'news' })).toEqual([400, 'message'])
    expect(await violation({ ...to('ok-1'), data: { k: 'x'.repeat(4097) } })).toEqual([400, 'message'])
    expect((await violation({ ...to('ok-1'), colour: 'red' }))[1]).toContain('Unknown name "colour"')
    expect((await http1(simulator, SEND, { headers: HEADERS, body: '{"message":' })).status).toBe(400)
    expect((await send({ ...to('ok-1'), data: { k: 'x'.repeat(4000) } })).status).toBe(200)
  })

  it('survives what nobody sends on purpose', async () => {
    const stderr = jest.spyOn(process.stderr, 'write').mockReturnValue(true)
    const deep = `{"message":{"token":"ok-1","apns":{"payload":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}}}`
    expect((await http1(simulator, SEND, { headers: HEADERS, body: deep })).status).toBeGreaterThanOrEqual(400)
    expect((await http1(simulator, '/nobody', { method: 'GET' })).status).toBe(404)
    expect((await send(to('ok-1'))).status).toBe(200)
    stderr.mockRestore()
  })

  it('wants a credential it knows', async () => {
    const denied = await http1(simulator, SEND, { headers: { ...HEADERS, authorization: 'Bearer nobody' }, body: '{}' })
    expect([denied.status, denied.json.error.status]).toEqual([401, 'UNAUTHENTICATED'])
    expect(denied.json.error.details[0]?.errorCode).toBeUndefined()
  })

  it('does not send with validate_only', async () => {
    expect((await send(to('ok-1'), { validate_only: true })).json.name).toContain('fake_message_id')
    expect(simulator.journal.counts().arrivals).toBe(0)
  })
})

describe('the token endpoint', () => {
  const { privateKey, publicKey } = rsaKey()
  const claims = () => ({
    iss: 'push@demo.example',
    scope: 'https://www.googleapis.com/auth/firebase.messaging',
    aud: 'https://oauth2.googleapis.com/token',
    iat: nowSeconds(),
    exp: nowSeconds() + 3600,
  })
  const grant = (assertion: string) =>
    http1(simulator, '/token', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }).toString(),
    })
  const sendWith = async (token: string) =>
    (
      await http1(simulator, SEND, {
        headers: { ...HEADERS, authorization: `Bearer ${token}` },
        body: JSON.stringify({ message: to('ok-1') }),
      })
    ).status

  it('gives tokens that work until they are revoked, and counts its calls', async () => {
    const { status, json } = await grant(jwt('RS256', { kid: 'k1' }, claims(), privateKey))
    expect([status, json.token_type, json.expires_in]).toEqual([200, 'Bearer', 3599])
    expect(await sendWith(json.access_token)).toBe(200)
    simulator.revokeTokens('fcm')
    expect(await sendWith(json.access_token)).toBe(401)
    expect(simulator.journal.counts().tokenCalls).toEqual({ fcm: 1 })
  })

  it('refuses assertions of the wrong shape', async () => {
    const wrong = [
      'a.b.c',
      jwt('RS256', {}, { ...claims(), exp: nowSeconds() + 7200 }, privateKey),
      jwt('RS256', {}, { ...claims(), exp: nowSeconds() - 10, iat: nowSeconds() - 100 }, privateKey),
      jwt('RS256', {}, { ...claims(), scope: 'email' }, privateKey),
      jwt('RS256', {}, { ...claims(), aud: 'https://example.com/' }, privateKey),
      jwt('PS256', {}, claims(), privateKey),
    ]
    for (const assertion of wrong) expect((await grant(assertion)).status).toBe(400)
  })

  it('verifies the signature once the public key is known', async () => {
    simulator.trustKey('known', publicKey)
    expect((await grant(jwt('RS256', { kid: 'known' }, claims(), privateKey))).status).toBe(200)
    const forged = await grant(jwt('RS256', { kid: 'known' }, claims(), rsaKey().privateKey))
    expect([forged.status, forged.json.error]).toEqual([400, 'invalid_grant'])
  })

  it('can be down', async () => {
    simulator.faults.set({ vendor: 'fcm', kind: 'oauth-down', count: 1 })
    expect((await grant(jwt('RS256', {}, claims(), privateKey))).status).toBe(503)
    expect((await grant(jwt('RS256', {}, claims(), privateKey))).status).toBe(200)
  })
})

describe('HTTP/2', () => {
  it('serves the same over HTTP/2, several streams at once', async () => {
    const session = openSession(simulator)
    const body = (i: number) => JSON.stringify({ message: to(`ok-${i}`) })
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => http2(session, { ':path': SEND, ...HEADERS }, body(i))),
    )
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(simulator.journal.counts('fcm')).toMatchObject({ requests: 50, unique: 50, duplicates: 0 })
    session.close()
  })
})

describe('firebase-admin', () => {
  it('sends through the simulator', async () => {
    const agent = new Agent({ keepAlive: true })
    const port = Number(new URL(simulator.url).port)
    Object.assign(agent, {
      createConnection: (options: object, connected: () => void) =>
        tlsConnect(
          { ...options, host: '127.0.0.1', port, servername: 'fcm.googleapis.com', ca: simulator.caPem },
          connected,
        ),
    })
    const credential = { getAccessToken: async () => ({ access_token: 'ok-admin', expires_in: 3600 }) }
    const app = initializeApp({ projectId: 'demo', credential, httpAgent: agent }, 'simulator-test')
    const messaging = getMessaging(app)
    messaging.enableLegacyHttpTransport()
    const result = await messaging.sendEach([to('ok-1'), to('gone-1'), to('ok-2')])
    expect(result.responses.map(({ success }) => success)).toEqual([true, false, true])
    expect(result.responses[1]?.error?.code).toBe('messaging/registration-token-not-registered')
    expect(
      simulator.journal
        .tokens({ vendor: 'fcm' })
        .map(({ token }) => token)
        .sort(),
    ).toEqual(['gone-1', 'ok-1', 'ok-2'])
    await deleteApp(app)
    agent.destroy()
  })

  it('sends over HTTP/2 too, where only the address is changed', async () => {
    const connect = http2Module.connect
    const port = Number(new URL(simulator.url).port)
    const redirect = () =>
      tlsConnect({
        host: '127.0.0.1',
        port,
        servername: 'fcm.googleapis.com',
        ca: simulator.caPem,
        ALPNProtocols: ['h2'],
      })
    Object.assign(http2Module, {
      connect: (url: string, options: object) => connect(url, { ...options, createConnection: redirect }),
    })
    const credential = { getAccessToken: async () => ({ access_token: 'ok-admin', expires_in: 3600 }) }
    const app = initializeApp({ projectId: 'demo', credential }, 'simulator-http2')
    try {
      const result = await getMessaging(app).sendEach([to('ok-1'), to('gone-1'), to('ok-2')])
      expect(result.successCount).toBe(2)
      expect(simulator.journal.requests()[0]).toMatchObject({ protocol: 'HTTP/2', headers: { ':scheme': 'https:' } })
    } finally {
      Object.assign(http2Module, { connect })
      await deleteApp(app)
    }
  })
})
