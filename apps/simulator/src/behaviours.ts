/**
 * A token's name says what the vendor answers. The same names work as FCM tokens, Xiaomi regIds, Huawei tokens, WeCom
 * user ids and the local part of e-mail addresses; APNs tokens are hexadecimal, so there the name is hex-encoded
 * (`apnsToken`). A name that is not in the table is accepted like `ok-`.
 */

export const KINDS = [
  'ok',
  'gone',
  'stale',
  'bad',
  'refused',
  '429',
  '503',
  '500',
  '502',
  '401',
  'expired',
  '403-wrong-project',
  'no-project',
  'quota-day',
  'hang',
  'reset',
  'reset-stream',
  'close',
  'goaway',
  'refuse-stream',
  'rubbish',
  'drip',
  'endless',
  'gzip',
  'code',
] as const
/** What a vendor does with a request or with one token of it. */
export type Kind = (typeof KINDS)[number]

/** `number` is what `<name>-<number>-…` means: for the first so many requests, or so many milliseconds. */
type Behaviour = { kind: Kind; number: 'times' | 'ms' | 'none'; meaning: string }

export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  ok: { kind: 'ok', number: 'none', meaning: 'accepted' },
  gone: { kind: 'gone', number: 'none', meaning: 'the token is dead: the app was removed, the user has left' },
  stale: { kind: 'stale', number: 'none', meaning: 'dead since a year ago (APNs timestamp); elsewhere as gone' },
  bad: { kind: 'bad', number: 'none', meaning: 'the token is malformed' },
  refused: { kind: 'refused', number: 'none', meaning: 'the message is refused, the token is fine' },
  busy: { kind: '429', number: 'times', meaning: 'too many requests, with Retry-After where the vendor sends it' },
  down: { kind: '503', number: 'times', meaning: 'service unavailable' },
  error: { kind: '500', number: 'times', meaning: 'internal error of the vendor' },
  html: { kind: '502', number: 'times', meaning: 'HTTP 502 with an HTML page, as from a proxy' },
  denied: { kind: '401', number: 'times', meaning: 'the credential is refused' },
  expired: { kind: 'expired', number: 'times', meaning: 'the credential has expired' },
  foreign: { kind: '403-wrong-project', number: 'none', meaning: 'the token belongs to another project or topic' },
  quota: { kind: 'quota-day', number: 'times', meaning: 'the quota of the day is used up' },
  slow: { kind: 'ok', number: 'ms', meaning: 'accepted after 3 s, or after the number of milliseconds given' },
  hang: { kind: 'hang', number: 'times', meaning: 'the request is taken and never answered' },
  reset: { kind: 'reset-stream', number: 'times', meaning: 'taken, then RST_STREAM (HTTP/2) or TCP RST' },
  cut: { kind: 'reset', number: 'times', meaning: 'taken, then TCP RST of the whole connection' },
  close: { kind: 'close', number: 'times', meaning: 'taken, then the connection ends (FIN) without GOAWAY or answer' },
  goaway: { kind: 'goaway', number: 'times', meaning: 'accepted, and GOAWAY: later streams are refused' },
  unprocessed: { kind: 'refuse-stream', number: 'times', meaning: 'REFUSED_STREAM: not taken, safe to repeat' },
  rubbish: { kind: 'rubbish', number: 'times', meaning: 'taken, answered with status 200 and nonsense' },
  drip: { kind: 'drip', number: 'times', meaning: 'taken, answered with one byte per second' },
  endless: { kind: 'endless', number: 'times', meaning: 'taken, answered with a body that does not end' },
  gzip: { kind: 'gzip', number: 'times', meaning: 'taken, answered with a small gzip body that unpacks to 64 MB' },
}

/** What one token asks for; `times` 0 = always; `code` = the vendor's own code or reason (`code-BadTopic-1`). */
export type Named = { kind: Kind; times: number; delayMs: number; code?: string }

const SLOW_MS = 3000
const CODE = /^code-([A-Za-z_]*[0-9]*)/
const NAME = /^([a-z]+)-(?:(\d{1,6})-)?/
const HEX_OK = '6f6b2d'
const APNS_TOKEN_HEX = 64

/** What the name of a token asks for; undefined where it is simply accepted. */
export function behaviourOf(token: string): Named | undefined {
  if (token.startsWith('ok-')) return undefined
  if (token.startsWith('code-')) return { kind: 'code', times: 0, delayMs: 0, code: CODE.exec(token)?.[1] ?? '' }
  const match = NAME.exec(token)
  const behaviour = match?.[1] === undefined || !Object.hasOwn(BEHAVIOURS, match[1]) ? undefined : BEHAVIOURS[match[1]]
  if (!behaviour || match?.[1] === 'ok') return undefined
  return named(behaviour, match?.[2])
}

/** The same for an APNs token, whose name is hex-encoded. */
export function apnsBehaviourOf(token: string): Named | undefined {
  if (token.startsWith(HEX_OK)) return undefined
  return behaviourOf(Buffer.from(token, 'hex').toString('latin1'))
}

/** A valid APNs token (64 or more hexadecimal digits) that behaves as its name says: `apnsToken('busy-2', 7)`. */
export function apnsToken(behaviour: string, number: number | string): string {
  return Buffer.from(`${behaviour}-${number}`, 'latin1').toString('hex').padEnd(APNS_TOKEN_HEX, '0')
}

function named(behaviour: Behaviour, digits: string | undefined): Named {
  const given = digits === undefined ? undefined : Number(digits)
  const times = behaviour.number === 'times' ? (given ?? 0) : 0
  return { kind: behaviour.kind, times, delayMs: behaviour.number === 'ms' ? (given ?? SLOW_MS) : 0 }
}
