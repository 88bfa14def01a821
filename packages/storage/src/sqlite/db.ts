import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreDownError } from '@fanfare/core'
import { type Compilable, DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import Database from 'libsql'
import type { Tables } from './tables.ts'

export type Value = string | number | null
export type Row = readonly Value[]
type Call = { body: () => unknown; resolve: (result: unknown) => void; reject: (error: unknown) => void }
type Statement = ReturnType<Database.Database['prepare']>

/**
 * SQLite's own wait for a lock blocks the event loop, so it is short; the rest of the wait is asynchronous, in steps as
 * long as a transaction takes.
 */
const BUSY_WAIT_MS = 2
const BUSY_STEP_MS = 3
/** A lock that is not had within this is reported as StoreDownError. */
const BUSY_LIMIT_MS = 10_000
/** Calls of one transaction at most, so that the write lock is not held for long. */
const GROUP_SIZE = 50
/** Codes after which the same call may succeed later; all others are errors of this program. */
const DOWN = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|CANTOPEN|READONLY|CORRUPT|NOTADB|PROTOCOL|NOMEM)/

/**
 * One SQLite file, opened with libsql. Transactions are synchronous functions: none spans a turn of the event loop, so
 * the write lock is held for as long as the statements take and no longer. Kysely builds the queries of the cool
 * paths; the hot ones are text that is prepared once and takes whole lists, narrow ones as JSON, wide ones as `values`,
 * and gives them as JSON (a row of eight columns costs libsql 3.5 µs, as JSON 1.5 µs).
 */
export class Db {
  /** Builds queries; they are run with `query`. */
  readonly build = new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
  readonly #db: Database.Database
  readonly #statements = new Map<string, Statement>()
  readonly #waiting: Call[] = []
  #writing = false
  #open = true

  constructor(path: string) {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true })
    try {
      this.#db = new Database(path, { timeout: BUSY_WAIT_MS })
    } catch (error) {
      throw new StoreDownError(`${path} cannot be opened as a database`, { cause: error })
    }
  }

  /**
   * The store's clock. SQLite runs inside this process and its file on this machine, so that is this machine's clock,
   * the same for all processes.
   */
  now(): number {
    return Date.now()
  }

  /** Runs statements without parameters or results, e.g. DDL. */
  exec(sql: string): void {
    this.#db.exec(sql)
  }

  /** Rows as arrays. Always read to the end: libsql's `get()` would keep the statement, and its snapshot, open. */
  all(sql: string, params: Row = []): Row[] {
    return this.#prepared(sql, true).all(params) as Row[]
  }

  /** The first column of the only row, read as JSON: the answer of `select json_group_array(…)`. */
  json<T>(sql: string, params: Row = []): T {
    return JSON.parse(String(this.all(sql, params)[0]?.[0] ?? 'null')) as T
  }

  /** For statements without `returning`; answers the number of rows changed. */
  run(sql: string, params: Row = []): number {
    return this.#prepared(sql, false).run(params).changes
  }

  /** Rows of a query made with `build`, as objects. */
  query<T>(query: Compilable<T>): T[] {
    const { sql, parameters } = query.compile()
    return this.#prepared(sql, false).all(parameters) as T[]
  }

  /** Runs an insert, update or delete made with `build`; answers the number of rows changed. */
  change(query: Compilable): number {
    const { sql, parameters } = query.compile()
    return this.run(sql, parameters as Row)
  }

  read<T>(body: () => T): Promise<T> {
    return this.#retryable(body)
  }

  /**
   * Runs `body` in a `begin immediate` transaction and resolves after the commit. Calls of one turn of the event loop
   * share a transaction, and so the one wait for the disk; a body that throws undoes only itself. `body` may run again
   * from its start, so it changes nothing but the database.
   */
  write<T>(body: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ body, resolve: resolve as (result: unknown) => void, reject })
      if (this.#writing) return
      this.#writing = true
      setImmediate(() => void this.#writeWaiting())
    })
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      try {
        await this.#retryable(() => this.#commitGroup())
      } catch (error) {
        for (const { reject } of this.#waiting.splice(0)) reject(error)
      }
    }
    this.#writing = false
  }

  /** Calls leave the queue only after the commit, so that a locked database finds them there at the next try. */
  #commitGroup(): void {
    const group = this.#waiting.slice(0, GROUP_SIZE)
    this.#db.exec('begin immediate')
    let settle: (() => void)[]
    try {
      settle = group.map((call) => this.#runOne(call, group.length > 1))
      this.#db.exec('commit')
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('rollback')
      throw error
    }
    this.#waiting.splice(0, group.length)
    for (const each of settle) each()
  }

  /** Runs one call of a group; answers how its promise is to be settled after the commit. */
  #runOne({ body, resolve, reject }: Call, isShared: boolean): () => void {
    if (isShared) this.#db.exec('savepoint one')
    try {
      const result = body()
      if (isShared) this.#db.exec('release one')
      return () => resolve(result)
    } catch (error) {
      if (DOWN.test(codeOf(error)) || !this.#db.inTransaction) throw error
      this.#db.exec(isShared ? 'rollback to one; release one' : 'rollback; begin')
      return () => reject(error)
    }
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#statements.clear()
    this.#db.close()
  }

  #prepared(sql: string, raw: boolean): Statement {
    const key = raw ? sql : `o${sql}`
    let statement = this.#statements.get(key)
    if (!statement) {
      statement = this.#db.prepare(sql)
      if (raw) statement.raw()
      this.#statements.set(key, statement)
    }
    return statement
  }

  /** Tries at once, then again in random steps, so that processes do not march in step. */
  async #retryable<T>(body: () => T): Promise<T> {
    const deadline = performance.now() + BUSY_LIMIT_MS
    for (;;) {
      if (!this.#open) throw new StoreDownError('the store is closed', { nothingWritten: true })
      try {
        return body()
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) throw toStoreError(error)
      }
      await sleep(1 + Math.random() * BUSY_STEP_MS)
    }
  }
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')
const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))

/** What fails is rolled back; only of a disk that fails nobody knows how far a commit came. */
function toStoreError(error: unknown): unknown {
  const code = codeOf(error)
  if (!DOWN.test(code)) return error
  const nothingWritten = !code.startsWith('SQLITE_IOERR')
  const sentence = `the store does not answer: ${String((error as Error).message)}`
  return new StoreDownError(sentence, { cause: error, nothingWritten })
}

/**
 * A list as JSON for `json_each(?)`. Lone surrogates are replaced by U+FFFD: SQLite would make invalid UTF-8 of them,
 * at which libsql aborts the whole process.
 */
export function toJson(list: unknown): string {
  const text = JSON.stringify(list)
  return text.includes('\\ud') ? text.replace(/(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g, '$1\\ufffd') : text
}

/** An id of the wire as the integer it is in the tables; what is no number matches nothing. */
export const toKey = (id: string): number => Number(id)
