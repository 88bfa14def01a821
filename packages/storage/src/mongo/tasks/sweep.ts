import type { Task } from '@fanfare/core'
import { type QueryFilter, trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import type { TaskDoc } from '../schemas.ts'
import { committedOnly, isPlanned, rangesOf, tasksByIds } from './ranges.ts'

/** Single tasks looked at in one pass, and how often: those still being sent are no work. */
const SINGLES_PER_PASS = 2000
const SINGLES_EVERY_MS = 5000

type Head = Pick<TaskDoc, '_id' | 'lane' | 'state' | 'canary' | 'plan'>
/** All that tells whether there is work, without the message and the audience. */
const HEAD = { lane: 1, state: 1, canary: 1, 'plan.complete': 1, 'plan.first.done': 1 } as const

/** Finds the tasks with work for the sweeper. */
export class TaskSweep {
  readonly #db: Db
  #singlesAt = Number.NEGATIVE_INFINITY

  constructor(db: Db) {
    this.#db = db
  }

  async toSweep(limit: number): Promise<Task[]> {
    const now = await this.#db.clock.now()
    const [due, expired, bulk, singles] = await Promise.all([
      this.#heads({ dueAt: trusted({ $lte: now }) }, 'dueAt', limit),
      this.#heads({ openUntil: trusted({ $lte: now }) }, 'openUntil', limit),
      this.#heads({ runs: trusted({ $gt: 0 }) }, 'runs'),
      this.#singles(now),
    ])
    const ranges = await rangesOf(
      this.#db,
      bulk.filter((task) => isSent(task) && !task.plan?.complete),
    )
    const needsPlanner = (task: Head) => !isPlanned(task, ranges) || task.canary?.state === 'running'
    const planning = bulk.filter((task) => task.state === 'planning' || (isSent(task) && needsPlanner(task)))
    const sent = [...bulk, ...singles].filter((task) => isSent(task) && isPlanned(task, ranges))
    const blocked = await withOpenChunks(this.#db, sent)
    const ended = sent.filter((task) => !blocked.has(task._id))
    const ids = new Set([...due, ...expired, ...planning, ...ended].map((task) => task._id))
    const first = [...ids].sort((a, b) => a - b).slice(0, limit)
    const found = await tasksByIds(this.#db, first.map(String))
    return found.filter((task) => task !== undefined)
  }

  #heads(filter: QueryFilter<TaskDoc>, order: keyof TaskDoc, limit = 0): Promise<Head[]> {
    const query = this.#db.tasks.find(filter, HEAD).sort({ [order]: 1 })
    return query.limit(limit).lean<Head[]>().exec()
  }

  async #singles(now: Date): Promise<Head[]> {
    if (performance.now() - this.#singlesAt < SINGLES_EVERY_MS) return []
    this.#singlesAt = performance.now()
    const heads = await this.#heads({ openUntil: trusted({ $gt: now }) }, 'openUntil', SINGLES_PER_PASS)
    return heads.filter((task) => task.lane !== 'bulk')
  }
}

const isSent = (task: Head): boolean => task.state === 'sending'

/** Which of the tasks have a chunk that is not final. What a crashed planner left behind is no chunk of the task. */
export async function withOpenChunks(db: Db, tasks: readonly Pick<TaskDoc, '_id' | 'plan'>[]): Promise<Set<number>> {
  if (tasks.length === 0) return new Set()
  const ids = tasks.map((task) => task._id)
  const open = new Set((await db.chunks.distinct('openTask', { openTask: trusted({ $in: ids }) })) as number[])
  const planned = tasks.filter((task) => task.plan && open.has(task._id))
  const ranges = await rangesOf(db, planned)
  const found = await Promise.all(
    planned.map((task) => db.chunks.exists({ openTask: task._id, ...committedOnly(ranges.get(task._id)) }).lean()),
  )
  planned.forEach((task, index) => {
    if (!found[index]) open.delete(task._id)
  })
  return open
}
