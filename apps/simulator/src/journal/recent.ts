import { createHash } from 'node:crypto'
import type { VendorName } from '../names.ts'

/** One request as it came in. `status` is the HTTP status of the answer; 0 = none was given. */
export type RecentRequest = {
  id: number
  vendor: VendorName
  account: string
  atMs: number
  method: string
  path: string
  protocol: string
  headers: Readonly<Record<string, string | string[] | undefined>>
  body: string
  tokens: readonly string[]
  kind: string
  status: number
}

export type RecentFilter = { vendor?: string; account?: string; token?: string; limit?: number }

const KEEP = 1000
const KEEP_BYTES = 32 * 1024 * 1024
const SECRET_FIELDS = /((?:client_secret|corpsecret|access_token|assertion|refresh_token)(?:"\s*:\s*"|=))([^&"\s]+)/g
const SECRET_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie', 'authtoken'])

/** The last requests with headers and bodies: at most 1,000, and at most 32 MB of bodies. */
export class RecentRequests {
  private readonly ring: (RecentRequest | undefined)[] = []
  private first = 0
  private next = 0
  private bytes = 0

  add(request: RecentRequest): void {
    this.ring[this.next++ % KEEP] = request
    this.bytes += request.body.length
    while (this.next - this.first > KEEP || this.bytes > KEEP_BYTES) this.dropFirst()
  }

  /** The newest that match, oldest first, with secrets replaced by the beginning of their SHA-256. */
  find({ vendor, account, token, limit = KEEP }: RecentFilter): RecentRequest[] {
    const found: RecentRequest[] = []
    for (let i = this.next - 1; i >= this.first && found.length < limit; i--) {
      const request = this.ring[i % KEEP]
      if (!request || (vendor && request.vendor !== vendor) || (account && request.account !== account)) continue
      if (token === undefined || request.tokens.includes(token)) found.push(redacted(request))
    }
    return found.reverse()
  }

  clear(): void {
    this.ring.length = 0
    this.first = this.next = this.bytes = 0
  }

  private dropFirst(): void {
    const at = this.first++ % KEEP
    this.bytes -= this.ring[at]?.body.length ?? 0
    if (this.next - this.first < KEEP) this.ring[at] = undefined
  }
}

function redacted(request: RecentRequest): RecentRequest {
  const headers: Record<string, string | string[] | undefined> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = SECRET_HEADERS.has(name) && typeof value === 'string' ? redactedHeader(value) : value
  }
  return { ...request, headers, path: redactedText(request.path), body: redactedText(request.body) }
}

/** Keeps the scheme; equal credentials stay recognizable as equal. */
function redactedHeader(value: string): string {
  const [, scheme = '', secret = ''] = /^(bearer |key=|basic )?(.*)$/i.exec(value) ?? []
  return `${scheme}${fingerprint(secret)}`
}

function redactedText(text: string): string {
  return text.replace(SECRET_FIELDS, (_all, name: string, secret: string) => `${name}${fingerprint(secret)}`)
}

function fingerprint(secret: string): string {
  return `sha256:${createHash('sha256').update(secret).digest('hex').slice(0, 16)}`
}
