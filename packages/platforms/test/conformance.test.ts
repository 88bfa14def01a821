import { generateKeyPairSync } from 'node:crypto'
import { Agent } from 'node:https'
import { type ConnectionOptions, connect } from 'node:tls'
import { apnsToken } from '@fanfare/simulator'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import apn from 'apn'
import { type App, deleteApp, initializeApp } from 'firebase-admin/app'
import { type Message as AdminMessage, getMessaging } from 'firebase-admin/messaging'
import { Http2Pool, openAddressGuard, openHttp } from '../src/index.ts'
import { googleTokens } from '../src/vendors/fcm/oauth.ts'
import { readServiceAccount } from '../src/vendors/fcm/options.ts'
import { batchOf, channelOf, type Lab, never, serviceAccount, startLab } from './lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
})
afterAll(() => lab.close())
beforeEach(() => lab.simulator.reset())

const lastRequest = (vendor: string) => {
  const request = lab.simulator.journal.requests({ vendor }).at(-1)
  if (!request) throw new Error('nothing arrived')
  return request
}

describe('the same message by firebase-admin and by ours', () => {
  let app: App
  let agent: Agent
  beforeAll(async () => {
    agent = agentTo(lab.simulator.url, lab.simulator.caPem)
    const access_token = await googleAccessToken()
    const credential = { getAccessToken: () => Promise.resolve({ access_token, expires_in: 3600 }) }
    app = initializeApp({ projectId: 'demo-project', credential, httpAgent: agent })
  })
  afterAll(async () => {
    await deleteApp(app)
    agent.destroy()
  })

  const ePush = JSON.stringify({ provider: 'ANDROID', report: { task_id: '42' } })
  const headers = (expiry: string, more = {}) => ({
    'apns-expiration': expiry,
    'apns-priority': '10',
    'apns-collapse-id': 'fanfare-42',
    ...more,
  })

  it('arrives alike: basic fields', async () => {
    const batch = batchOf(['ok-1'], { title: 'Order', content: 'Shipped', ext: { orderId: '42' } }, '42')
    const expiry = String(Math.round(batch.expiresAt.getTime() / 1000))
    await arrivesAlike(batch, {
      notification: { title: 'Order', body: 'Shipped' },
      data: { orderId: '42', EPush: ePush },
      android: { priority: 'high', ttl: 3600_000, notification: { tag: 'fanfare-42' } },
      apns: { headers: headers(expiry) },
    })
  })

  it('arrives alike: the object fcmV1', async () => {
    const androidNotification = {
      icon: 'ic',
      color: '#336699',
      sound: 'ding',
      tag: 'x',
      clickAction: 'OPEN',
      channelId: 'c',
    }
    const loc = { bodyLocKey: 'b', bodyLocArgs: ['1'], titleLocKey: 't', titleLocArgs: ['2'] }
    const fcmV1 = {
      notification: { title: 'V1', body: 'text', image: 'https://example.com/i.png' },
      data: { k: 'v' },
      options: { analyticsLabel: 'autumn' },
      androidConfig: {
        collapseKey: 'news',
        priority: 'NORMAL',
        ttl: '60s',
        directBootOk: true,
        restrictedPackageName: 'com.example.app',
        androidNotification: { ...androidNotification, ...loc, title: 'A', body: 'B' },
      },
      webPushConfig: { headers: { Urgency: 'high', TTL: '60' }, notification: { title: 'W' } },
      apnsConfig: { headers: { 'apns-collapse-id': 'mine' }, payload: { aps: { badge: 3 }, extra: 'x' } },
    }
    const batch = batchOf(['ok-2'], { title: 'Order', content: 'Shipped', fcmV1 }, '42')
    const expiry = String(Math.round(batch.expiresAt.getTime() / 1000))
    await arrivesAlike(batch, {
      notification: { title: 'V1', body: 'text', imageUrl: 'https://example.com/i.png' },
      data: { k: 'v', EPush: ePush },
      fcmOptions: { analyticsLabel: 'autumn' },
      android: {
        collapseKey: 'news',
        priority: 'normal',
        ttl: 60_000,
        directBootOk: true,
        restrictedPackageName: 'com.example.app',
        notification: { ...androidNotification, ...loc, title: 'A', body: 'B' },
      },
      webpush: { headers: { Urgency: 'high', TTL: '60' }, notification: { title: 'W' } },
      apns: { headers: headers(expiry, { 'apns-collapse-id': 'mine' }), payload: { aps: { badge: 3 }, extra: 'x' } },
    })
  })

  async function arrivesAlike(batch: ReturnType<typeof batchOf>, message: object): Promise<void> {
    const token = batch.members[0]?.token ?? ''
    await getMessaging(app).send({ ...message, token } as AdminMessage)
    const theirs = lastRequest('fcm')
    const pusher = await lab.open('fcm')
    expect(await pusher.push(batch, never)).toMatchObject([{ outcome: 'sent' }])
    const ours = lastRequest('fcm')
    expect(ours.id).not.toBe(theirs.id)
    expect(ours.path).toBe(theirs.path)
    expect(messageIn(ours.body)).toEqual(messageIn(theirs.body))
  }
})

describe('the same notification by apn and by ours', () => {
  it('arrives alike', async () => {
    const key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
    const { hostname, port } = new URL(lab.simulator.url)
    const provider = new apn.Provider({
      token: { key: pem, keyId: 'KEY1234567', teamId: 'OTHERTEAM1' },
      address: hostname,
      port: Number(port),
      ca: [lab.simulator.caPem],
      requestTimeout: 5000,
      connectionRetryLimit: 0,
    })
    const token = apnsToken('ok', 1)
    const batch = batchOf(
      [token],
      {
        title: 'Order',
        subTitle: 'Today',
        content: 'Shipped',
        ext: { orderId: 42 },
        apns: {
          badge: 3,
          sound: 'ding.caf',
          threadId: 'orders',
          categoryName: 'ORDER',
          mutableContent: true,
          collapseId: 'order-42',
        },
      },
      '42',
    )
    const notification = new apn.Notification({
      topic: 'com.example.app',
      pushType: 'alert',
      priority: 10,
      expiry: Math.round(batch.expiresAt.getTime() / 1000),
      collapseId: 'order-42',
      badge: 3,
      sound: 'ding.caf',
      threadId: 'orders',
      category: 'ORDER',
      mutableContent: true,
      title: 'Order',
      subtitle: 'Today',
      body: 'Shipped',
      payload: { orderId: 42, EPush: { provider: 'APNS', report: { task_id: '42' } } },
    })
    const { sent, failed } = await provider.send(notification, token)
    await provider.shutdown()
    expect({ sent: sent.length, failed }).toEqual({ sent: 1, failed: [] })
    const theirs = lastRequest('apns')
    const pusher = await lab.open('apns')
    expect(await pusher.push(batch, never)).toMatchObject([{ outcome: 'sent' }])
    const ours = lastRequest('apns')
    expect(ours.id).not.toBe(theirs.id)
    expect(JSON.parse(ours.body)).toEqual(JSON.parse(theirs.body))
    expect(apnsHeaders(ours.headers)).toEqual(apnsHeaders(theirs.headers))
    expect(ours.path).toBe(theirs.path)
  })
})

/** firebase-admin reaches Google's token endpoint only at its own address, so the token is got by ours. */
async function googleAccessToken(): Promise<string> {
  const credential = serviceAccount('demo-project')
  const http = openHttp({ ca: lab.simulator.caPem })
  const http2 = new Http2Pool()
  const shared = { http, http2, guard: openAddressGuard() }
  const context = { channel: channelOf('fcm'), credential, vendorUrl: lab.simulator.url, ...shared }
  const token = await googleTokens(context, await readServiceAccount(credential)).get()
  http.close()
  return token
}

/** All but the id, which apn leaves to Apple. */
function apnsHeaders(headers: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('apns-') && name !== 'apns-id'))
}

/** firebase-admin writes priorities in small letters, which FCM takes for the same. */
function messageIn(body: string): object {
  const { message, validate_only } = JSON.parse(body) as {
    message: { android?: { priority?: string; ttl?: string } }
    validate_only?: boolean
  }
  const { android } = message
  const priority = android?.priority?.toUpperCase()
  // Ours counts from the instant of sending, which may be a second later than the reference's.
  const ttl = `${Math.round(Number.parseFloat(android?.ttl ?? '0') / 10) * 10}s`
  return { ...message, android: { ...android, priority, ttl }, validateOnly: validate_only ?? false }
}

/**
 * Reaches the simulator whatever host is asked for: firebase-admin's host cannot be configured (docs/vendors.md §2b).
 */
function agentTo(url: string, ca: string): Agent {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true })
  const target: ConnectionOptions = { host: hostname, port: Number(port), ca, checkServerIdentity: () => undefined }
  Object.assign(agent, { createConnection: (options: ConnectionOptions) => connect({ ...options, ...target }) })
  return agent
}
