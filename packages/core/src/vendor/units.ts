import type { Channel } from '../nouns/channel.ts'
import type { Lane } from '../nouns/task.ts'
import type { Pusher } from '../ports/pusher.ts'

/** Members handed to a vendor of single requests at once, with one permit: small, so that one slow answer holds few. */
export const PIECE = 25

/** Members one leave covers at most: one request of a batch vendor, or a piece of single requests. */
export const mostMembers = (pusher: Pusher): number => (pusher.batchSize > 1 ? pusher.batchSize : PIECE)

/** How many of a channel's units so many members cost. */
export const unitsOf = (channel: Channel, members: number, batchSize: number): number =>
  channel.limits.unit === 'token' ? members : Math.ceil(members / batchSize)

/** How many members so many of a channel's units are for. */
export const membersOf = (channel: Channel, units: number, batchSize: number): number =>
  channel.limits.unit === 'token' ? units : units * batchSize

/** A permit for as many as the account allows in this time is worth a request of its own. */
const LEAST_MS = 20
const LONG_WINDOW_MS = 10_000
/** The parts of a window that are worth a batch: in a long one more, since WeCom recognises only whole batches again. */
const LONG_WINDOW_PARTS = 4
const WINDOW_PARTS = 60

/** What to ask the limiter for: `units` if they are free, no fewer than `least`. */
export function askFor(
  channel: Channel,
  { members, batchSize, lane }: { members: number; batchSize: number; lane: Lane },
): { units: number; least: number } {
  const units = unitsOf(channel, members, batchSize)
  // Somebody waits for the answer: whatever is free goes at once.
  if (lane === 'sync') return { units, least: 1 }
  if (channel.limits.rate === 0) return { units, least: units }
  const least = Math.max(1, Math.min(units, Math.floor(worthOf(channel, batchSize))))
  // No more of single requests either: a permit is held until the last of them is answered.
  return { units: batchSize === 1 ? least : units, least }
}

/**
 * The fewest units that are worth a request. Single requests go as soon as a few are free. Of whole batches a short window
 * is worth a small part only, else a few single pushes between them would leave the last batch of a window unsent.
 */
function worthOf({ limits: { rate, perMs } }: Channel, batchSize: number): number {
  if (batchSize === 1) return (rate / perMs) * LEAST_MS
  return rate / (perMs >= LONG_WINDOW_MS ? LONG_WINDOW_PARTS : WINDOW_PARTS)
}
