import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { apnsToken, okToken } from '@fanfare/testkit'

export type Platform = 'xiaomi' | 'huawei' | 'fcm' | 'apns'
/** A request with its body as it goes over the wire. */
export type Prepared = { path: string; headers: Record<string, string>; body: Buffer }

/** Tokens of one request of a batch vendor. */
const BATCH = 1000
const TITLE = 'Fanfare'
const CONTENT = 'a broadcast to everyone'

/** All requests of a batch vendor for `devices` devices: prepared before the clock starts. */
export function batchRequests(platform: 'xiaomi' | 'huawei', devices: number): Prepared[] {
  const requests: Prepared[] = []
  for (let start = 0; start < devices; start += BATCH) {
    const tokens = Array.from({ length: Math.min(BATCH, devices - start) }, (_, offset) => okToken(start + offset))
    requests.push(platform === 'xiaomi' ? xiaomiRequest(tokens) : huaweiRequest(tokens))
  }
  return requests
}

function xiaomiRequest(tokens: readonly string[]): Prepared {
  const rest = new URLSearchParams({
    restricted_package_name: 'org.example.demo',
    title: TITLE,
    description: CONTENT,
    pass_through: '0',
    notify_type: '-1',
    time_to_live: '86400000',
  })
  return {
    path: '/v3/message/regid',
    headers: {
      authorization: 'key=secret-of-bench',
      'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
    },
    body: Buffer.from(`registration_id=${tokens.join('%2C')}&${rest}`),
  }
}

function huaweiRequest(tokens: readonly string[]): Prepared {
  const notification = { title: TITLE, body: CONTENT, click_action: { type: 3 } }
  const message = { token: tokens, android: { ttl: '86400s', notification } }
  return {
    path: '/v1/bench/messages:send',
    headers: { authorization: 'Bearer ok-bench', 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ validate_only: false, message })),
  }
}

/** One request per device: the path, and what is the same in all of them. */
export type StreamPlan = {
  headers: Record<string, string>
  pathOf(index: number): string
  bodyOf(index: number): Buffer
}

export function streamPlan(platform: 'fcm' | 'apns'): StreamPlan {
  return platform === 'fcm' ? fcmPlan() : apnsPlan()
}

function fcmPlan(): StreamPlan {
  const rest = JSON.stringify({ notification: { title: TITLE, body: CONTENT }, android: { ttl: '86400s' } }).slice(1)
  return {
    headers: { ':method': 'POST', authorization: 'Bearer ok-bench', 'content-type': 'application/json' },
    pathOf: () => '/v1/projects/bench/messages:send',
    bodyOf: (index) => Buffer.from(`{"message":{"token":"${okToken(index)}",${rest}}`),
  }
}

function apnsPlan(): StreamPlan {
  const body = Buffer.from(JSON.stringify({ aps: { alert: { title: TITLE, body: CONTENT } } }))
  return {
    headers: {
      ':method': 'POST',
      authorization: `bearer ${providerToken()}`,
      'apns-topic': 'org.example.demo',
      'apns-push-type': 'alert',
    },
    pathOf: (index) => `/3/device/${apnsToken(index)}`,
    bodyOf: () => body,
  }
}

/** An APNs provider token of a key made here (ES256, wire format of RFC 7515). */
function providerToken(): string {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'ES256', kid: 'ABCDE12345' })}.${part({ iss: 'TEAM123456', iat: Math.floor(Date.now() / 1000) })}`
  const key = { key: createPrivateKey(privateKey), dsaEncoding: 'ieee-p1363' as const }
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`
}
