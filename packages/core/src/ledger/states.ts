/*
 * The life of a chunk, the same in every store:
 *
 *     created ──▶ waiting ◀───────────────┐
 *        │           │ promote            │ park
 *        │           ▼                    │
 *        └───────▶ planned ───────────────┤
 *                   │   │ requeue         │
 *                   │   └─────────────▶ queued ◀──┐ requeue: its job was lost again
 *             claim │                   │  ▲ └────┘
 *                   │             claim │  │ release: its sender gives it back
 *                   │                   │  │ requeue: its sender was lost
 *                   └────▶ sending ◀────┘  │
 *                          ▲ │ │ └─────────┘
 *                          └─┘ │ record; claim, where the lease has passed
 *                              ├──▶ done   close; stop, where the task is over; claim, where no member is open
 *                              │    done   from every open state: expire, cancel, taskOver, channelGone, abandon
 *                              └──▶ dead   from queued and sending: bury
 *
 * `gen` is raised by whoever enqueues again, `fence` by every claim: a write of an older one is a zombie's. `starts`
 * counts the claims since the last release, `started` says how far a sender may have come: members below it without an
 * outcome are in doubt after a crash. `tries` counts how often a deferred remainder was tried.
 */
import type { ChunkState } from '../nouns/chunk.ts'
import { SENTENCES } from './sentences.ts'
import { begin, close, type Effect, ending, type Moves, moving, record, release, stop } from './states-effects.ts'
import {
  canaryPassed,
  channelIsGone,
  type Given,
  type Guard,
  hasBegun,
  hasFence,
  hasGen,
  hasManyStarts,
  isDue,
  isQueuedLane,
  isSameGen,
  isSync,
  type LedgerRow,
  leasePassed,
  mayStart,
  taskExpired,
  taskIsInTime,
  taskIsOpen,
  taskIsOver,
  taskSends,
} from './states-guards.ts'

/** The events that change fields alone: a SQL store makes its statements of them (`FIELD_MOVES`). */
export const FIELD_MOVES = {
  promote: { state: 'planned', raises: [], sets: { dueAt: 'now' } },
  park: { state: 'waiting', raises: ['gen'], sets: { leaseUntil: 'none', dueAt: 'none' } },
  requeue: { state: 'queued', raises: ['gen'], sets: { leaseUntil: 'lease', nextAt: 'none', dueAt: 'lease' } },
  claim: {
    state: 'sending',
    raises: ['fence', 'starts'],
    sets: { leaseUntil: 'lease', nextAt: 'none', dueAt: 'lease' },
  },
} as const satisfies Record<string, Moves>

/** `from`: the states an event is for, each with what must hold there; `always`: what must hold in all of them. */
export type Rule = { from: Partial<Record<ChunkState, readonly Guard[]>>; always: readonly Guard[]; effect: Effect }

/** Any open chunk, but one that is being sent is left to its sender as long as the lease holds. */
const IDLE = { waiting: [], planned: [], queued: [], sending: [leasePassed] }
/** Those a sender holds, also where the sweeper queued it again meanwhile. */
const HELD = { queued: [hasBegun], sending: [] }
/** What nobody promotes any more, and what the sweeper should have seen the end of. */
const LEFT = { waiting: [], planned: [isDue], queued: [isDue], sending: [leasePassed] }

const claim = moving(FIELD_MOVES.claim)
const cancelled = ending({ outcome: 'cancelled' })

export const EVENTS = {
  promote: {
    from: { waiting: [] },
    always: [isQueuedLane, taskSends, canaryPassed],
    effect: moving(FIELD_MOVES.promote),
  },
  park: {
    from: { planned: [], queued: [] },
    always: [isQueuedLane, hasGen, canaryPassed],
    effect: moving(FIELD_MOVES.park),
  },
  claim: {
    from: { planned: [mayStart], queued: [mayStart], sending: [leasePassed] },
    always: [isQueuedLane, hasGen, taskSends, taskIsInTime],
    effect(next, given) {
      const wasStarted = next.started
      claim(next, given)
      begin(next, wasStarted, given)
    },
  },
  requeue: {
    from: { planned: [], queued: [], sending: [] },
    always: [isQueuedLane, isSameGen, isDue],
    effect: moving(FIELD_MOVES.requeue),
  },
  record: { from: HELD, always: [hasFence, taskIsOpen], effect: record },
  release: { from: HELD, always: [hasFence, taskIsOpen], effect: release },
  close: { from: HELD, always: [hasFence, taskIsOpen], effect: close },
  stop: { from: HELD, always: [hasFence, taskIsOver], effect: stop },
  cancel: { from: IDLE, always: [], effect: cancelled },
  expire: { from: IDLE, always: [taskIsOpen, taskExpired], effect: ending({ outcome: 'expired' }) },
  /** The task ended, and whoever ended it died before its chunks. */
  taskOver: { from: LEFT, always: [isQueuedLane, taskIsOver], effect: cancelled },
  channelGone: {
    from: LEFT,
    always: [isQueuedLane, channelIsGone],
    effect: ending({ outcome: 'rejected', reason: SENTENCES.noChannel }),
  },
  abandon: {
    from: { planned: [], queued: [], sending: [] },
    always: [isSync, isDue],
    effect: ending({ outcome: 'unknown', reason: SENTENCES.abandoned }),
  },
  bury: {
    from: { queued: [], sending: [] },
    always: [isQueuedLane, isDue, hasManyStarts],
    effect: ending({ outcome: 'unknown', reason: SENTENCES.poison, state: 'dead' }),
  },
} as const satisfies Record<string, Rule>

export type ChunkEvent = keyof typeof EVENTS

/** The row after the event; undefined where the table has no such step: then nothing of it is kept. */
export function after(event: ChunkEvent, row: LedgerRow, given: Given): LedgerRow | undefined {
  const { from, always, effect }: Rule = EVENTS[event]
  const here = from[row.state]
  const holds = (guard: Guard): boolean => guard(row, given)
  if (!here?.every(holds) || !always.every(holds)) return undefined
  const next = { ...row }
  effect(next, given)
  return next
}

/** The first of the events that applies. */
export function afterFirst(events: readonly ChunkEvent[], row: LedgerRow, given: Given): LedgerRow | undefined {
  for (const event of events) {
    const next = after(event, row, given)
    if (next) return next
  }
  return undefined
}

export type Written = { row: LedgerRow; goesOn: boolean }

/** A sender's write: which event it is follows from what it says. `goesOn`: the sender may ask for another window. */
export function afterWrite(row: LedgerRow, given: Given & Required<Pick<Given, 'write'>>): Written | undefined {
  const { state, started } = given.write
  const event = taskIsOver(row, given) ? 'stop' : state === undefined ? 'record' : WRITES[state]
  const next = after(event, row, given)
  return next && { row: next, goesOn: event !== 'stop' || started === undefined }
}

const WRITES = { queued: 'release', done: 'close' } as const
