import { type Model, type mongo, trusted } from 'mongoose'

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

/** A text as it comes back from the store: half a surrogate pair cannot be written as UTF-8. */
export const stored = (text: string): string =>
  /[\ud800-\udfff]/.test(text) ? Buffer.from(text, 'utf8').toString('utf8') : text

/** Up to `size` items each. */
export function* slices<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size)
}
