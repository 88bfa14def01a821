import type { Plan, PlanRange } from '@fanfare/core'

/** A plan as it began: of `first` nothing changes any more, `complete` may be set before the ranges are done. */
export type PlanDoc = Omit<Plan, 'ranges'> & { first: PlanRange[] }

/**
 * Where a range stands, from its first page on; without a document it stands where the plan began. Chunks below `end`
 * are committed; only the planner with the highest `attempt` may commit more. `by`: from which chunk on which attempt's
 * rows count, ascending; what stands below the first counts whoever wrote it.
 */
export type RangeDoc = Pick<PlanRange, 'cursor' | 'planned' | 'done'> & {
  /** `task.place` */
  _id: string
  taskId: number
  /** Which of the plan's ranges, from 0 on. */
  place: number
  attempt: number
  end?: number
  by?: { attempt: number; from: number }[]
  /** Its seven days count from here: its task's expiry. */
  at: Date
}
