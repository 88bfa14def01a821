import type { CreateResult, NewTask, StoredAnswer, Taken } from '@fanfare/core'
import type { Db } from '../db.ts'
import { toJson, toKey } from '../db.ts'

/** A key of this age is free again, whether purged or not. Its age is that of its task, by `createdAt`. */
export const KEY_TTL_MS = 24 * 3600_000

type KeyRow = [index: number, fingerprint: string, task: number, status: number | null, body: string | null]

const KNOWN_KEYS = `
  select json_group_array(json_array(j.key, i.fingerprint, i.task, i.status, i.body)) from json_each(?1) j
  cross join idempotency i on i.app = j.value ->> 0 and i.key = j.value ->> 1 and i.created_at > ?2`
const INSERT_KEYS = `
  insert or replace into idempotency (app, key, fingerprint, task, status, body, created_at)
  select j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4, j.value ->> 5, j.value ->> 6
  from json_each(?) j`

/** Takes the keys of a list, 'created' where it has none: of one key's repetitions the first has it. */
export function claimKeys(db: Db, tasks: readonly NewTask[], now: number): CreateResult[] {
  const results: CreateResult[] = tasks.map(() => 'created')
  const keyed = tasks.flatMap((item, index) => (item.idempotency ? [{ item, index }] : []))
  if (keyed.length === 0) return results
  const known = knownKeys(
    db,
    keyed.map(({ item }) => keyOf(item)),
    now,
  )
  const fresh: unknown[][] = []
  for (const { item, index } of keyed) {
    const key = JSON.stringify(keyOf(item))
    const before = known.get(key)
    if (before && before.taskId !== item.task.id) results[index] = { taken: before }
    if (before) continue
    known.set(key, { fingerprint: item.idempotency?.fingerprint ?? '', taskId: item.task.id, ...answerOf(item) })
    fresh.push(keyRow(item))
  }
  if (fresh.length > 0) db.run(INSERT_KEYS, [toJson(fresh)])
  return results
}

type Key = readonly [app: number, key: string]
const keyOf = (item: NewTask): Key => [toKey(item.task.appId), item.idempotency?.key ?? '']
const answerOf = ({ idempotency }: NewTask): { answer?: StoredAnswer } =>
  idempotency?.answer ? { answer: idempotency.answer } : {}

function keyRow(item: NewTask): unknown[] {
  const { task, idempotency } = item
  const { answer } = answerOf(item)
  const stored = [answer?.status ?? null, answer?.body ?? null]
  return [...keyOf(item), idempotency?.fingerprint, toKey(task.id), ...stored, task.createdAt.getTime()]
}

/** What is known of unexpired keys, by the JSON of the key. A key with the same task is a retry of a lost answer. */
function knownKeys(db: Db, keys: readonly Key[], now: number): Map<string, Taken> {
  const rows = db.json<KeyRow[]>(KNOWN_KEYS, [toJson(keys), now - KEY_TTL_MS])
  return new Map(rows.map((row) => [JSON.stringify(keys[row[0]]), toTaken(row)]))
}

const toTaken = ([, fingerprint, task, status, body]: KeyRow): Taken => ({
  fingerprint,
  taskId: String(task),
  ...(status !== null && { answer: { status, body: body ?? '' } }),
})

export const byKey = (db: Db, appId: string, key: string): Taken | undefined =>
  knownKeys(db, [[toKey(appId), key]], db.now())
    .values()
    .next().value

export async function keepAnswer(db: Db, kept: { appId: string; key: string; answer: StoredAnswer }): Promise<void> {
  const set = { status: kept.answer.status, body: kept.answer.body }
  const query = db.build.updateTable('idempotency').set(set)
  await db.write(() => db.change(query.where('app', '=', toKey(kept.appId)).where('key', '=', kept.key)))
}
