import { type Model, type mongo, trusted } from 'mongoose'
import { type Duplicate, duplicatesOf, onceMore } from './errors.ts'

/**
 * The driver's collection of a model, for inserts and bulks: their documents are made whole by our own code, so casting
 * each again would only cost time. Filters given to it hold numbers and explicit operators only.
 */
export const rawOf = <Doc extends object>(model: Model<Doc>): mongo.Collection<Doc> =>
  model.collection as unknown as mongo.Collection<Doc>

/** The rows of these ids in the order asked, each mapped; undefined where there is none. One query. */
export async function byIdsInOrder<Doc extends { _id: number }, Item>(
  model: Model<Doc>,
  ids: readonly string[],
  map: (row: Doc) => Item,
): Promise<(Item | undefined)[]> {
  const asked = [...new Set(ids.map(Number))].filter((id) => id > 0)
  if (asked.length === 0) return ids.map(() => undefined)
  const rows = await model.find({ _id: trusted({ $in: asked }) } as never).lean<Doc[]>()
  const byId = new Map(rows.map((row) => [row._id, row]))
  return ids.map((id) => {
    const row = byId.get(Number(id))
    return row && map(row)
  })
}

/** Documents of one insert. A server that is slow for a while still answers within the time-out of a connection. */
const INSERT_STEP = 250

/** Inserts in bulks of bounded size; answers those that met an existing key, by their place in the list. */
export async function insertAll<Doc extends object>(model: Model<Doc>, rows: readonly Doc[]): Promise<Duplicate[]> {
  const met: Duplicate[] = []
  for (let from = 0; from < rows.length; from += INSERT_STEP) {
    const step = rows.slice(from, from + INSERT_STEP) as mongo.OptionalUnlessRequiredId<Doc>[]
    const found = await onceMore(() => duplicatesOf(rawOf(model).insertMany(step, { ordered: false })))
    met.push(...found.map((duplicate) => ({ ...duplicate, index: duplicate.index + from })))
  }
  return met
}

/** A text as it comes back from the store: half a surrogate pair cannot be written as UTF-8. */
export const stored = (text: string): string =>
  /[\ud800-\udfff]/.test(text) ? Buffer.from(text, 'utf8').toString('utf8') : text

/** Up to `size` items each. */
export function* slices<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size)
}
