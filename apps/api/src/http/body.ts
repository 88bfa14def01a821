import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { RequestError } from '../wire/errors.ts'
import { badInput } from '../wire/parse.ts'
import { RequestAborted } from './errors.ts'
import type { BodyKind } from './route.ts'

/** A constant on purpose: an invalid configured limit must not switch the limit off (docs/reliability.md T91). */
const LIMIT_BYTES = 256 * 1024
/** Of who has not proven anything less is kept: credentials are short. */
export const GUEST_LIMIT_BYTES = 16 * 1024
/** So much of a too large body is read and thrown away, so that the caller can read the answer. */
const DRAIN_BYTES = 4 * LIMIT_BYTES
const DRAIN_MS = 1000
const MAX_DEPTH = 32
const MAX_KEYS = 2000

export type Body = { raw: string; body: unknown }

/** Reads and parses a body within the limits of docs/reliability.md T91–T93, T96, T104. An empty one is undefined. */
export async function readBody(req: IncomingMessage, kind: BodyKind, limitBytes = LIMIT_BYTES): Promise<Body> {
  checkHeaders(req, kind)
  const raw = await readText(req, limitBytes)
  return { raw, body: raw === '' ? undefined : parseJson(raw) }
}

function checkHeaders(req: IncomingMessage, kind: BodyKind): void {
  const encoding = req.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') throw new RequestError('MEDIA_TYPE')
  if (kind === 'json' && !isJsonType(req.headers['content-type'])) throw new RequestError('MEDIA_TYPE')
}

function isJsonType(type: string | undefined): boolean {
  if (type === undefined || type === 'application/json') return true
  return /^application\/json\s*(;\s*charset="?utf-?8"?\s*)?;?$/i.test(type)
}

function readText(req: IncomingMessage, limitBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const tooLarge = () => reject(new RequestError('BODY_TOO_LARGE', { limit: `${limitBytes / 1024} KB` }))
    req.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= limitBytes) chunks.push(chunk)
      else if (size > DRAIN_BYTES) tooLarge()
      else if (chunks.length > 0) {
        chunks.length = 0
        setTimeout(tooLarge, DRAIN_MS).unref()
      }
    })
    req.on('end', () => (size > limitBytes ? tooLarge() : resolveText(chunks, resolve, reject)))
    req.on('error', () => reject(new RequestAborted()))
    req.on('close', () => {
      if (!req.complete) reject(new RequestAborted())
    })
  })
}

function resolveText(chunks: Buffer[], resolve: (text: string) => void, reject: (error: unknown) => void): void {
  const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
  if (isUtf8(bytes)) resolve(bytes.toString('utf8'))
  else reject(new RequestError('JSON_PARSE', { detail: 'not UTF-8' }))
}

/** Depth and number of keys are limited before JSON.parse; keys and strings that cannot be kept are refused after it. */
export function parseJson(raw: string): unknown {
  checkShape(raw)
  let value: unknown
  try {
    value = JSON.parse(raw)
  } catch (error) {
    throw new RequestError('JSON_PARSE', { detail: syntaxError(error) })
  }
  if (SUSPICIOUS.test(raw)) checkTree(value, '')
  return value
}

/** Only a text with one of these can hold a forbidden key or a lone surrogate. */
const SUSPICIOUS = /__proto__|constructor|prototype|\\u/
const LONE_SURROGATE = /\p{Surrogate}/u
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

function checkShape(raw: string): void {
  let depth = 0
  let keys = 0
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i)
    if (code === 34) i = endOfString(raw, i)
    else if (code === 123 || code === 91) {
      if (++depth > MAX_DEPTH) throw badInput({ field: 'body', detail: `nested deeper than ${MAX_DEPTH}` })
    } else if (code === 125 || code === 93) depth--
    else if (code === 58 && ++keys > MAX_KEYS) throw badInput({ field: 'body', detail: `more than ${MAX_KEYS} keys` })
  }
}

/** The index of the closing quote of the string that opens at `start`, or the end of the text. */
function endOfString(raw: string, start: number): number {
  for (let end = raw.indexOf('"', start + 1); end >= 0; end = raw.indexOf('"', end + 1)) {
    let before = end - 1
    while (raw.charCodeAt(before) === 92) before--
    if ((end - before) % 2 === 1) return end
  }
  return raw.length
}

function checkTree(value: unknown, path: string): void {
  if (typeof value === 'string') {
    if (LONE_SURROGATE.test(value)) throw badInput({ field: path || 'body', detail: 'holds a lone surrogate' })
    return
  }
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value)) {
    const field = path === '' ? key : `${path}.${key}`
    if (FORBIDDEN.has(key)) throw badInput({ field, detail: 'is not allowed as a key' })
    if (LONE_SURROGATE.test(key)) throw badInput({ field: path || 'body', detail: 'a key holds a lone surrogate' })
    checkTree(item, field)
  }
}

/** V8 quotes the text it was given; the caller gets the reason only. */
const syntaxError = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/,? ?(\.\.\.)?".*" ?(\.\.\. )?is not valid JSON$/s, '') : 'invalid'
