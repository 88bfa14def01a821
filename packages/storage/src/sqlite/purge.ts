import type { Db } from './db.ts'
import { KEY_TTL_MS } from './tasks/keys.ts'
import { deletePlan } from './tasks/plan-rows.ts'

/** Tasks and their chunks are kept this long after their end. */
const TASK_TTL_MS = 7 * 24 * 3600_000

const OLD_TASKS = `
  select id, state > 3 and coalesce(finished_at, created_at) < ?1 from tasks
  where id > ?2 and created_at < ?1 order by id limit ?3`
const DELETE_CHUNKS = `
  delete from chunks where rowid in (select rowid from chunks where task = ? limit ?)`

/**
 * Deletes what has outlived its time. Tasks are walked in order of their ids, which rise with time, from where the last
 * run stopped: so no index over all finished tasks is needed.
 */
export class Purge {
  readonly #db: Db
  #after = 0

  constructor(db: Db) {
    this.#db = db
  }

  /** At most `limit` of each kind under one write lock; answers how many tasks, keys and tokens are gone. */
  run(limit: number): Promise<number> {
    return this.#db.write(() => this.#tasks(limit) + this.#others(limit))
  }

  #tasks(limit: number): number {
    const before = this.#db.now() - TASK_TTL_MS
    const rows = this.#db.all(OLD_TASKS, [before, this.#after, limit])
    let [deleted, chunks] = [0, 0]
    for (const [id, isOld] of rows) {
      if (isOld) {
        chunks += this.#db.run(DELETE_CHUNKS, [Number(id), limit - chunks])
        if (chunks >= limit) return deleted
        deletePlan(this.#db, Number(id))
        deleted += this.#db.run('delete from tasks where id = ?', [Number(id)])
      }
      this.#after = Number(id)
    }
    if (rows.length < limit) this.#after = 0
    return deleted
  }

  #others(limit: number): number {
    const now = this.#db.now()
    const keys = `
      delete from idempotency where (app, key) in (
        select app, key from idempotency where created_at <= ? order by created_at limit ?)`
    const tokens = 'delete from revoked where jti in (select jti from revoked where expires_at < ? limit ?)'
    return this.#db.run(keys, [now - KEY_TTL_MS, limit]) + this.#db.run(tokens, [now, limit])
  }
}
