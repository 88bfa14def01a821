/** `firstMs` doubles with each try up to `maxMs`; `random` (0–1) spreads it by ± 25 % so that retries do not march in step. */
export type Backoff = { firstMs: number; maxMs: number }

/** Of deferred members: 10 s · 2^n ± jitter (docs/reliability.md T52). A vendor's Retry-After is the floor. */
export const RETRY: Backoff = { firstMs: 10_000, maxMs: 600_000 }
/** A deferred remainder is tried this often; then its members are `unknown` with the last reason. */
export const MAX_TRIES = 6
/** A chunk that began this often without an end is poison. */
export const MAX_STARTS = 5

export function backoffMs(tries: number, backoff: Backoff = RETRY, random: number = Math.random()): number {
  const base = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(tries, 30))
  return Math.round(base * (0.75 + random / 2))
}
