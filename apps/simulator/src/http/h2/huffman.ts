import { ConnectionError, ERROR } from './frames.ts'

/** Lengths in bits of the Huffman codes of the bytes 0–255 (RFC 7541 Appendix B). The codes are canonical. */
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26,
]

/**
 * Tables of 256 entries, one for the first eight bits of a code and one for each longer beginning. An entry is a byte
 * with the bits its code takes of this table (`byte | bits << 8`), the number of another table (negative), or 0 where
 * no code leads.
 */
const tables: Int32Array[] = [new Int32Array(256)]

for (const [byte, code, bits] of canonicalCodes()) enter(byte, code, bits)

/** Decodes `source[start, end)` into `target` and returns the number of bytes. Throws ConnectionError on a bad code. */
export function decodeHuffman(source: Buffer, start: number, end: number, target: Buffer): number {
  let table = tables[0] as Int32Array
  let window = 0
  let bits = 0
  let length = 0
  for (let at = start; at < end; at++) {
    window = (window << 8) | (source[at] as number)
    bits += 8
    while (bits >= 8) {
      const entry = table[(window >>> (bits - 8)) & 0xff] as number
      if (entry === 0) throw badCode()
      table = (entry < 0 ? tables[-entry] : tables[0]) as Int32Array
      bits -= entry < 0 ? 8 : entry >> 8
      if (entry > 0) target[length++] = entry & 0xff
    }
  }
  return finish(table, window, bits, { target, length })
}

/** The last bits: codes of fewer than eight bits, then padding of ones. */
function finish(table: Int32Array, window: number, bits: number, out: { target: Buffer; length: number }): number {
  let rest = table
  let left = bits
  while (left > 0) {
    const entry = rest[(window << (8 - left)) & 0xff] as number
    if (entry <= 0 || entry >> 8 > left) break
    out.target[out.length++] = entry & 0xff
    left -= entry >> 8
    rest = tables[0] as Int32Array
  }
  const padding = (1 << left) - 1
  if ((window & padding) !== padding || rest !== tables[0]) throw badCode()
  return out.length
}

function* canonicalCodes(): Generator<[byte: number, code: number, bits: number]> {
  let code = 0
  for (let bits = 1; bits <= 30; bits++) {
    code *= 2
    for (const [byte, length] of CODE_BITS.entries()) {
      if (length === bits) yield [byte, code++, bits]
    }
  }
}

function enter(byte: number, code: number, bits: number): void {
  let table = tables[0] as Int32Array
  let left = bits
  for (; left > 8; left -= 8) table = tableBehind(table, Math.floor(code / 2 ** (left - 8)) & 0xff)
  const first = (code << (8 - left)) & 0xff
  table.fill(byte | (left << 8), first, first + (1 << (8 - left)))
}

function tableBehind(table: Int32Array, index: number): Int32Array {
  if (table[index] === 0) table[index] = -(tables.push(new Int32Array(256)) - 1)
  return tables[-(table[index] as number)] as Int32Array
}

function badCode(): ConnectionError {
  return new ConnectionError(ERROR.compression, 'bad Huffman code')
}
