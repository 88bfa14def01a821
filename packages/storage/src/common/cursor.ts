import { PushError } from '@fanfare/core'

/** Cursors are opaque to callers: base64url of what the next page needs. */
export const toCursor = (place: readonly (string | number)[]): string =>
  Buffer.from(JSON.stringify(place), 'utf8').toString('base64url')

/** A cursor that is none of ours reads as an empty place: the page starts from the beginning. */
export function fromCursor<T extends readonly (string | number)[]>(cursor: string): T {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    return (Array.isArray(place) ? place : []) as unknown as T
  } catch {
    return [] as unknown as T
  }
}

/** The id that a caller's cursor holds; undefined without a cursor. What this store did not give is refused by name. */
export const idOfCursor = (cursor: string | undefined): number | undefined =>
  cursor === undefined ? undefined : only(cursor, (place) => Number.isSafeInteger(place))

/** The same for a cursor that holds a name. */
export const nameOfCursor = (cursor: string | undefined): string | undefined =>
  cursor === undefined ? undefined : only(cursor, (place) => typeof place === 'string')

function only<T extends string | number>(cursor: string, isPlace: (place: unknown) => boolean): T {
  const list = fromCursor<readonly T[]>(cursor)
  const [place] = list
  if (list.length === 1 && place !== undefined && isPlace(place)) return place
  throw new PushError('BAD_PARAMETER', { field: 'cursor', detail: 'was not given by this API' })
}
