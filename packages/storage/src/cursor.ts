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
