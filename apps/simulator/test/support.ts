import type { KeyObject } from 'node:crypto'
import { createSign, generateKeyPairSync, sign } from 'node:crypto'
import type { ClientHttp2Session } from 'node:http2'
import { connect } from 'node:http2'
import { Agent, request as httpsRequest } from 'node:https'
import type { Simulator } from '../src/index.ts'

/** Whatever the vendors' answers hold; a test knows what it asks for. */
type VendorJson = {
  name: string
  access_token: string
  expires_in: number
  token_type: string
  code: string | number
  msg: string
  result: string
  reason: string
  timestamp: number
  errcode: number
  invaliduser: string
  unlicenseduser: string
  data: { bad_regids?: string }
  error: { status: string; message: string; details: { errorCode?: string; fieldViolations: { field?: string }[] }[] }
}

export type Answer = { status: number; headers: Record<string, unknown>; text: string; json: VendorJson }

/** One HTTP/1.1 request to the simulator; rejects where the connection breaks. */
export function http1(
  simulator: Simulator,
  path: string,
  {
    method = 'POST',
    headers = {},
    body = '',
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ ca: simulator.caPem, keepAlive: false })
    const request = httpsRequest(simulator.url + path, { method, headers, agent }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => resolve(answerOf(response.statusCode ?? 0, response.headers, text)))
    })
    request.on('error', reject)
    request.end(body)
  })
}

export function openSession(simulator: Simulator, options: object = {}): ClientHttp2Session {
  const session = connect(simulator.url, { ca: simulator.caPem, ...options })
  session.on('error', () => {})
  return session
}

/** One HTTP/2 request on a session; rejects with the stream's error. */
export function http2(session: ClientHttp2Session, headers: Record<string, string>, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ...headers })
    let text = ''
    let got: Record<string, unknown> = {}
    stream.on('response', (head) => (got = head))
    stream.setEncoding('utf8')
    stream.on('data', (chunk) => (text += chunk))
    stream.on('error', reject)
    stream.on('close', () => {
      if (got[':status'] === undefined) reject(new Error(`closed with ${stream.rstCode}`))
      else resolve(answerOf(Number(got[':status']), got, text))
    })
    stream.end(body)
  })
}

/** A signed JWT of any of the vendors' algorithms. */
export function jwt(
  algorithm: 'RS256' | 'PS256' | 'ES256',
  header: object,
  claims: object,
  privateKeyPem: string,
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: algorithm, typ: 'JWT', ...header })}.${part(claims)}`
  if (algorithm === 'RS256') return `${signed}.${createSign('sha256').update(signed).sign(privateKeyPem, 'base64url')}`
  const key =
    algorithm === 'ES256'
      ? { key: privateKeyPem, dsaEncoding: 'ieee-p1363' as const }
      : { key: privateKeyPem, padding: 6, saltLength: 32 }
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`
}

export type KeyPair = { publicKey: string; privateKey: string }

export function ecKey(): KeyPair {
  return pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
}

export function rsaKey(): KeyPair {
  return pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }))
}

function pemOf({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): KeyPair {
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

function answerOf(status: number, headers: Record<string, unknown>, text: string): Answer {
  return { status, headers, text, json: parsed(text) as VendorJson }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
