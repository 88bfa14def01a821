import type { Kind } from './behaviours.ts'
import { KINDS } from './behaviours.ts'
import { nowMs } from './clock.ts'
import type { VendorName } from './names.ts'

/** Faults of the OAuth and gettoken endpoints; all other kinds act on the messages. */
const TOKEN_FAULTS = ['oauth-down', 'oauth-401', 'oauth-delay', 'oauth-hang'] as const
type TokenFaultKind = (typeof TOKEN_FAULTS)[number]
/** A mail server that takes connections and never greets, or that never answers MAIL FROM. */
const SMTP_FAULTS = ['greet-hang', 'mail-hang'] as const
export type SmtpFaultKind = (typeof SMTP_FAULTS)[number]
/** `all-gone` answers every token as dead; `delay` only makes the answer late. */
export type FaultKind = Kind | 'all-gone' | 'delay' | TokenFaultKind | SmtpFaultKind
export const FAULT_KINDS: readonly FaultKind[] = [...KINDS, 'all-gone', 'delay', ...TOKEN_FAULTS, ...SMTP_FAULTS]

/** A switchable fault. Without `everyNth`, `rate`, `forMs` and `count` it hits every request until it is removed. */
export type Fault = {
  vendor: VendorName | '*'
  /** One credential (see the README for what it is per vendor); absent = all. */
  account?: string
  kind: FaultKind
  /** The vendor's own code or reason, for kind `code` (`60020`, `BadTopic`, `UNREGISTERED` …). */
  code?: string
  retryAfterSeconds?: number
  /** Hits every nth matching request. */
  everyNth?: number
  /** Hits this share of the requests, 0–1, drawn from `seed`. */
  rate?: number
  seed?: number
  /** Ends this many milliseconds after it was set. */
  forMs?: number
  /** Ends after so many hits. */
  count?: number
  /** How late the answer is (`delay`), or the time between two bytes (`drip`). */
  delayMs?: number
}

export type FaultState = Fault & { seen: number; hits: number }

type Rule = FaultState & { untilMs: number; random: () => number }

/** The faults that are switched on. Cheap when there are none. */
export class Faults {
  private rules: Rule[] = []

  get active(): boolean {
    return this.rules.length > 0
  }

  /** Switches a fault on; one with the same vendor, account and kind is replaced. */
  set(fault: Fault): void {
    this.clear({ vendor: fault.vendor, account: fault.account, kind: fault.kind }, true)
    const untilMs = fault.forMs === undefined ? Number.POSITIVE_INFINITY : nowMs() + fault.forMs
    this.rules.push({ ...fault, seen: 0, hits: 0, untilMs, random: randomFrom(fault.seed ?? 1) })
  }

  /** Switches off what matches; nothing given = everything. `exact` also compares an absent account. */
  clear(which: { vendor?: string; account?: string | undefined; kind?: string } = {}, exact = false): void {
    this.rules = this.rules.filter((rule) => {
      const account = exact ? rule.account === which.account : !which.account || rule.account === which.account
      return !(account && (!which.vendor || rule.vendor === which.vendor) && (!which.kind || rule.kind === which.kind))
    })
  }

  list(): FaultState[] {
    return this.rules.map(({ untilMs: _until, random: _random, ...state }) => state)
  }

  /** The fault that hits this request, if any; `wants` leaves kinds out that cannot happen at this point. */
  pick(vendor: VendorName, account: string, wants: (kind: FaultKind) => boolean = isMessageFault): Fault | undefined {
    if (this.rules.length === 0) return undefined
    return this.rules.find((rule) => wants(rule.kind) && matches(rule, vendor, account) && fires(rule))
  }

  /** The fault that hits this call of a token endpoint, if any. */
  pickForToken(vendor: VendorName, account: string): Fault | undefined {
    return this.pick(vendor, account, (kind) => (TOKEN_FAULTS as readonly string[]).includes(kind))
  }
}

function matches(rule: Rule, vendor: VendorName, account: string): boolean {
  if (rule.vendor !== '*' && rule.vendor !== vendor) return false
  return rule.account === undefined || rule.account === account
}

function fires(rule: Rule): boolean {
  if (rule.hits >= (rule.count ?? Number.POSITIVE_INFINITY) || nowMs() > rule.untilMs) return false
  rule.seen++
  if (rule.everyNth !== undefined && rule.seen % rule.everyNth !== 0) return false
  if (rule.rate !== undefined && rule.random() >= rule.rate) return false
  rule.hits++
  return true
}

/** False for the faults of token endpoints and of SMTP before the message. */
export function isMessageFault(kind: FaultKind): boolean {
  return !([...TOKEN_FAULTS, ...SMTP_FAULTS] as readonly string[]).includes(kind)
}

/** mulberry32: the same numbers for the same seed, so that a failing run can be repeated. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
