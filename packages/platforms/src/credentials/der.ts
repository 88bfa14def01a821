/** One value of DER: its tag, and where its content stands. */
export type Der = { tag: number; from: number; to: number }

export const SEQUENCE = 0x30
export const INTEGER = 0x02
export const OCTETS = 0x04
export const OID = 0x06

/** The bytes are no DER, or not what is expected there. */
export class NotDer extends Error {
  override readonly name = 'NotDer'
}

/** The value that begins at `at` and ends by `end`. Definite lengths only, as DER has them. */
function valueAt(bytes: Buffer, at: number, end: number): Der {
  const [tag, first] = [bytes[at], bytes[at + 1]]
  if (tag === undefined || first === undefined || at + 2 > end) throw new NotDer('cut short')
  const size = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || size > 4 || at + 2 + size > end) throw new NotDer('bad length')
  const from = at + 2 + size
  const length = size === 0 ? first : bytes.readUIntBE(at + 2, size)
  if (from + length > end) throw new NotDer('cut short')
  return { tag, from, to: from + length }
}

/** The one value of these bytes, with this tag. */
export function only(bytes: Buffer, tag: number, within: Pick<Der, 'from' | 'to'>): Der {
  const value = valueAt(bytes, within.from, within.to)
  if (value.tag !== tag || value.to !== within.to) throw new NotDer('unexpected value')
  return value
}

/** The values inside a constructed one; more than `most` are refused. One pass over their heads. */
export function inside(bytes: Buffer, { from, to }: Pick<Der, 'from' | 'to'>, most = 16): Der[] {
  const values: Der[] = []
  for (let at = from; at < to; ) {
    if (values.length === most) throw new NotDer('too many values')
    const value = valueAt(bytes, at, to)
    values.push(value)
    at = value.to
  }
  return values
}

export const contentOf = (bytes: Buffer, { from, to }: Der): Buffer => bytes.subarray(from, to)
