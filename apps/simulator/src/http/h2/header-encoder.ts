import type { Output } from './output.ts'
import { STATIC_HEADERS } from './static-headers.ts'

export type PlainHeaders = Readonly<Record<string, string>>

const LONGEST_SHORT_TEXT = 126
const STATUS_INDEX = 8
const NO_HEADERS: PlainHeaders = {}
/** A literal that is not to be indexed begins with 0 and its name; there are few names. */
const nameBlocks = new Map<string, Buffer>()
const statusBlocks = new Map<number, Buffer>()

/** The header block of an answer. It uses neither dynamic table nor Huffman codes: it is short, and made often. */
export class HeadBlock {
  readonly length: number
  private readonly status: Buffer
  private readonly headers: PlainHeaders

  constructor(status: number, headers: PlainHeaders = NO_HEADERS) {
    this.status = statusBlocks.get(status) ?? remember(statusBlocks, status, statusBlock(status))
    this.headers = headers
    let length = this.status.length
    for (const name in headers) {
      const value = headers[name] as string
      length +=
        nameBlock(name).length + (value.length <= LONGEST_SHORT_TEXT ? 1 : lengthBytes(value).length) + value.length
    }
    this.length = length
  }

  writeTo(output: Output): void {
    output.bytes(this.status)
    for (const name in this.headers) {
      const value = this.headers[name] as string
      output.bytes(nameBlock(name))
      if (value.length <= LONGEST_SHORT_TEXT) output.uint8(value.length)
      else output.bytes(lengthBytes(value))
      output.latin1(value)
    }
  }
}

function nameBlock(name: string): Buffer {
  const block = nameBlocks.get(name)
  return (
    block ??
    remember(nameBlocks, name, Buffer.concat([Buffer.from([0]), lengthBytes(name), Buffer.from(name, 'latin1')]))
  )
}

function statusBlock(status: number): Buffer {
  const text = String(status)
  const index = STATIC_HEADERS.findIndex(([name, value]) => name === ':status' && value === text)
  return index === -1 ? Buffer.from([STATUS_INDEX, text.length, ...Buffer.from(text)]) : Buffer.from([0x80 | index])
}

/** The length of a text as HPACK writes it, with seven bits in the first byte. */
function lengthBytes({ length }: string): Buffer {
  if (length <= LONGEST_SHORT_TEXT) return Buffer.from([length])
  const bytes = [0x7f]
  let rest = length - 0x7f
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}

function remember<K>(blocks: Map<K, Buffer>, key: K, block: Buffer): Buffer {
  blocks.set(key, block)
  return block
}
