import type { Task } from '../nouns/task.ts'
import type { Store } from '../ports/store/store.ts'

const EVERY_MS = 1000

export type Watched = Pick<Task, 'state' | 'rate'>

/** What has become of the tasks whose chunks are being sent: a pause, a cancel or a new rate is seen within a second. */
export class TaskWatch {
  readonly #tasks = new Map<string, { users: number; now: Watched }>()
  readonly #store: { tasks: Pick<Store['tasks'], 'byIds'> }
  readonly #timer: NodeJS.Timeout
  #reading = false

  constructor(store: { tasks: Pick<Store['tasks'], 'byIds'> }) {
    this.#store = store
    this.#timer = setInterval(() => void this.#read().catch(() => undefined), EVERY_MS)
    this.#timer.unref()
  }

  enter(task: Task): void {
    const known = this.#tasks.get(task.id)
    if (known) known.users++
    else this.#tasks.set(task.id, { users: 1, now: task })
  }

  leave(taskId: string): void {
    const known = this.#tasks.get(taskId)
    if (known && --known.users === 0) this.#tasks.delete(taskId)
  }

  of(task: Task): Watched {
    return this.#tasks.get(task.id)?.now ?? task
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #read(): Promise<void> {
    if (this.#reading || this.#tasks.size === 0) return
    this.#reading = true
    try {
      const ids = [...this.#tasks.keys()]
      const tasks = await this.#store.tasks.byIds(ids)
      for (const [index, id] of ids.entries()) {
        const known = this.#tasks.get(id)
        const task = tasks[index]
        if (known)
          known.now = task ? { state: task.state, ...(task.rate && { rate: task.rate }) } : { state: 'cancelled' }
      }
    } finally {
      this.#reading = false
    }
  }
}
