import { PushError } from '@fanfare/core'

const FORM = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})$/
/** The zone's formatter, made once. */
const formatters = new Map<string, Intl.DateTimeFormat>()

/**
 * The instant of `yyyy-MM-dd HH:mm:ss` in the server's zone (docs/wire-api.md §1.2). A time that daylight saving skips
 * is read with the offset before the change, one that happens twice means the first.
 */
export function startDate(text: string, zone: string): Date {
  const at = instantOf(text, zone)
  if (at) return at
  throw new PushError('BAD_PARAMETER', { field: 'startDate', detail: 'must be yyyy-MM-dd HH:mm:ss' })
}

export function instantOf(text: string, zone: string): Date | undefined {
  const found = FORM.exec(text)
  if (!found) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1).map(Number)
  const asUtc = Date.UTC(year, month - 1, day, hour, minute, second)
  if (new Date(asUtc).toISOString().slice(0, 19) !== text.replace(' ', 'T')) return undefined
  const before = asUtc - offsetMs(asUtc - 24 * 3600_000, zone)
  if (wallMs(before, zone) === asUtc) return new Date(before)
  const after = asUtc - offsetMs(asUtc + 24 * 3600_000, zone)
  return new Date(wallMs(after, zone) === asUtc ? after : before)
}

/** What the clock on the wall of the zone shows at an instant, as if it were UTC. */
function wallMs(instantMs: number, zone: string): number {
  return instantMs + offsetMs(instantMs, zone)
}

function offsetMs(instantMs: number, zone: string): number {
  const parts = new Map(
    formatterOf(zone)
      .formatToParts(instantMs)
      .map(({ type, value }) => [type, Number(value)]),
  )
  const get = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
  const wall = Date.UTC(get('year'), get('month') - 1, get('day'), get('hour'), get('minute'), get('second'))
  return wall - Math.floor(instantMs / 1000) * 1000
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone)
  if (known) return known
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  formatters.set(zone, made)
  return made
}
