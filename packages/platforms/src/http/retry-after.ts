const CAP_MS = 15 * 60_000
const HTTP_DATE = /^[A-Z][a-z]{2}/

/**
 * Milliseconds of a Retry-After header, seconds or an HTTP date (RFC 9110 §10.2.3), capped at 15 min. Up to 20 % is
 * added so that a fleet does not come back in one instant; absent or unreadable = undefined (docs/vendors.md §12).
 */
export function retryAfterMs(
  header: string | readonly string[] | number | undefined,
  now: number = Date.now(),
  random: number = Math.random(),
): number | undefined {
  const text = String(Array.isArray(header) ? header[0] : (header ?? '')).trim()
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : HTTP_DATE.test(text) ? Date.parse(text) - now : Number.NaN
  if (Number.isNaN(ms)) return undefined
  return Math.round(Math.min(Math.max(ms, 0), CAP_MS) * (1 + random / 5))
}
