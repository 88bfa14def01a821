import { MOVES, moveTask, type Task, type TaskEvent, type TaskState } from '@fanfare/core'
import { expect, it } from '@jest/globals'
import type { GetSubject } from './subject.ts'

const STATES = [
  'scheduled',
  'planning',
  'sending',
  'paused',
  'done',
  'cancelled',
  'failed',
] as const satisfies TaskState[]
const PLANS: Record<string, Pick<Task, 'lane' | 'plan'>> = {
  'a single push': { lane: 'single' },
  'a task to be planned': { lane: 'bulk', plan: { upToDeviceId: '9', ranges: [], complete: false } },
  'a task that is planned': { lane: 'bulk', plan: { upToDeviceId: '9', ranges: [], complete: true } },
}

/** Every event of a task's life at every state, as `core/tasks/states` has them. */
export function taskLifeCases(get: GetSubject): void {
  for (const event of Object.keys(MOVES) as TaskEvent[]) {
    it.each(Object.keys(PLANS))(
      `moves %s at the event "${event}" from the states where it is drawn, and from no other`,
      async (plan) => {
        const { store, make } = get()
        const { id: appId } = await make.app()
        const nowMs = (await store.now()).getTime()
        const found: TaskState[] = []
        const wanted: TaskState[] = []
        for (const state of STATES) {
          const task = await make.task({ appId, state, ...PLANS[plan] })
          await store.tasks.create([{ task, chunks: [] }])
          const { from, to } = MOVES[event]
          const isPlanned = task.lane !== 'bulk' || task.plan?.complete === true
          // What finishes is found by the store, for many tasks at once.
          if (event === 'finish') await store.tasks.finish([task.id])
          else expect(await moveTask(store, task, event, { nowMs })).toBe(from.includes(state))
          const moves = from.includes(state) && (event !== 'finish' || isPlanned)
          const [after] = await store.tasks.byIds([task.id])
          found.push(after?.state ?? 'failed')
          wanted.push(moves ? to(task, nowMs) : state)
        }
        expect(found).toEqual(wanted)
      },
    )
  }
}
