import { ConnectionError, ERROR } from './frames.ts'
import { decodeHuffman } from './huffman.ts'
import { STATIC_HEADERS } from './static-headers.ts'

type Header = readonly [name: string, value: string]

const MAX_TABLE_BYTES = 4096
const ENTRY_OVERHEAD_BYTES = 32
const MAX_TEXT_BYTES = 65_536
/** Texts of at least so many bytes (access tokens) are compared with the last one before they are decoded again. */
const LONG_BYTES = 96

/** Decodes the header blocks of one connection (HPACK, RFC 7541). */
export class HeaderDecoder {
  /** The dynamic table, oldest first; entries before `first` are evicted. */
  private table: Header[] = []
  private first = 0
  private tableBytes = 0
  private tableLimit = MAX_TABLE_BYTES
  private readonly scratch = Buffer.allocUnsafe(MAX_TEXT_BYTES * 2)
  private lastLong = { coded: Buffer.alloc(0), text: '' }
  private block: Buffer = this.scratch
  private at = 0

  /** Throws ConnectionError where the block is malformed. */
  decode(block: Buffer, start: number, end: number): Record<string, string> {
    const headers: Record<string, string> = {}
    this.block = block
    this.at = start
    while (this.at < end) {
      const header = this.next()
      if (!header) continue
      const [name, value] = header
      const before = headers[name]
      headers[name] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`
    }
    if (this.at !== end) throw malformed('header block is cut')
    return headers
  }

  private next(): Header | undefined {
    const first = this.block[this.at] as number
    if (first & 0x80) return this.headerAt(this.integer(7))
    if (first & 0x40) return this.add(this.literal(6))
    if (first & 0x20) this.resize(this.integer(5))
    else return this.literal(4)
    return undefined
  }

  private literal(prefixBits: number): Header {
    const index = this.integer(prefixBits)
    const name = index === 0 ? this.name() : this.headerAt(index)[0]
    return [name, this.text()]
  }

  /** Names are in lower case (RFC 9113 §8.2.1). */
  private name(): string {
    const name = this.text()
    if (name === '' || /[A-Z]/.test(name)) throw new ConnectionError(ERROR.protocol, `header name "${name}"`)
    return name
  }

  private headerAt(index: number): Header {
    const header = index < STATIC_HEADERS.length ? STATIC_HEADERS[index] : this.dynamicAt(index - STATIC_HEADERS.length)
    if (!header) throw malformed(`no header ${index}`)
    return header
  }

  private dynamicAt(age: number): Header | undefined {
    const at = this.table.length - 1 - age
    return at < this.first ? undefined : this.table[at]
  }

  private add(header: Header): Header {
    this.table.push(header)
    this.tableBytes += sizeOf(header)
    this.evict()
    return header
  }

  private resize(limit: number): void {
    if (limit > MAX_TABLE_BYTES) throw malformed('header table too large')
    this.tableLimit = limit
    this.evict()
  }

  private evict(): void {
    while (this.tableBytes > this.tableLimit) this.tableBytes -= sizeOf(this.table[this.first++] as Header)
    if (this.first < 64 || this.first * 2 < this.table.length) return
    this.table = this.table.slice(this.first)
    this.first = 0
  }

  private text(): string {
    const isCoded = ((this.block[this.at] as number) & 0x80) !== 0
    const length = this.integer(7)
    const start = this.at
    this.at += length
    if (length > MAX_TEXT_BYTES || this.at > this.block.length) throw malformed('header text is cut')
    return isCoded ? this.decoded(start, this.at) : this.block.toString('latin1', start, this.at)
  }

  private decoded(start: number, end: number): string {
    const { lastLong, block, scratch } = this
    const isLong = end - start >= LONG_BYTES
    if (
      isLong &&
      lastLong.coded.length === end - start &&
      block.compare(lastLong.coded, 0, end - start, start, end) === 0
    ) {
      return lastLong.text
    }
    const text = scratch.toString('latin1', 0, decodeHuffman(block, start, end, scratch))
    if (isLong) this.lastLong = { coded: Buffer.from(block.subarray(start, end)), text }
    return text
  }

  /** RFC 7541 §5.1. */
  private integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1
    let value = (this.block[this.at++] as number) & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.block[this.at++]
      if (byte === undefined) break
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw malformed('bad integer')
  }
}

function sizeOf([name, value]: Header): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES
}

function malformed(message: string): ConnectionError {
  return new ConnectionError(ERROR.compression, message)
}
