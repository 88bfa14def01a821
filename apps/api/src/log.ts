import type { Log } from '@fanfare/core'

const EVERY_MS = 1000
type Count = { since: number; skipped: number }
const counts = new Map<string, Count>()

/** A warning that may come thousands of times a second: at most one line per second and kind, with what was left out. */
export function sampled(log: Log, kind: string, fields: object, text: string): void {
  const now = Date.now()
  const count = counts.get(kind) ?? { since: 0, skipped: 0 }
  counts.set(kind, count)
  if (now - count.since < EVERY_MS) {
    count.skipped++
    return
  }
  log.warn({ ...fields, skipped: count.skipped }, text)
  count.since = now
  count.skipped = 0
}
