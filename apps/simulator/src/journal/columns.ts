import { digestText } from './digest.ts'

/** Blocks of this many numbers: a column never copies what it holds, so it never stalls the event loop. */
const BLOCK_BITS = 15
const BLOCK = 1 << BLOCK_BITS
const MASK = BLOCK - 1
const SHARDS = 64
const FIRST_TABLE = 256
/** Looked up once: in a test's own context every look-up of a global is slow. */
const { imul, floor } = Math

/** A growing list of numbers outside the JavaScript heap: 8 bytes each (`f64`) or 4 (`i32`). */
export class NumberColumn {
  length = 0
  private readonly blocks: (Float64Array | Int32Array)[] = []
  private readonly type: 'f64' | 'i32'

  constructor(type: 'f64' | 'i32') {
    this.type = type
  }

  push(value: number): void {
    const at = this.length & MASK
    if (at === 0) this.blocks.push(this.type === 'f64' ? new Float64Array(BLOCK) : new Int32Array(BLOCK))
    const block = this.blocks[this.length >>> BLOCK_BITS] as Float64Array
    block[at] = value
    this.length++
  }

  get(index: number): number {
    return this.blocks[index >>> BLOCK_BITS]?.[index & MASK] ?? 0
  }

  add(index: number, by: number): void {
    const block = this.blocks[index >>> BLOCK_BITS] as Float64Array
    block[index & MASK] = (block[index & MASK] ?? 0) + by
  }
}

/** Gives every distinct text the next number, from 0. Found by digest: a Map of a million strings costs twice. */
export class TextIndex {
  readonly texts: string[] = []
  private readonly index = new NumberIndex()

  idOf(text: string): number {
    for (let key = digestText(text); ; key = nextKey(key)) {
      const id = this.index.idOf(key)
      if (id === this.texts.length) this.texts.push(text)
      if (this.texts[id] === text) return id
    }
  }

  find(text: string): number | undefined {
    for (let key = digestText(text); ; key = nextKey(key)) {
      const id = this.index.find(key)
      if (id === undefined || this.texts[id] === text) return id
    }
  }
}

/** Where a text goes whose digest another text already has. */
function nextKey(key: number): number {
  return key === 0 ? Number.MAX_SAFE_INTEGER : key - 1
}

/** Gives every distinct number (0 … 2^53 − 1) the next number, from 0, without a heap object per entry. */
export class NumberIndex {
  size = 0
  private readonly shards = Array.from({ length: SHARDS }, () => new NumberTable())

  idOf(key: number): number {
    const hash = hashOf(key)
    const id = (this.shards[hash & (SHARDS - 1)] as NumberTable).idOf(key, hash, this.size)
    if (id === this.size) this.size++
    return id
  }

  find(key: number): number | undefined {
    const hash = hashOf(key)
    return (this.shards[hash & (SHARDS - 1)] as NumberTable).find(key, hash)
  }
}

/** Open addressing, at most half full. */
class NumberTable {
  private keys = new Float64Array(FIRST_TABLE).fill(-1)
  private ids = new Int32Array(FIRST_TABLE)
  private used = 0

  idOf(key: number, hash: number, nextId: number): number {
    const at = slotOf(this.keys, key, hash)
    if (this.keys[at] === key) return this.ids[at] as number
    this.keys[at] = key
    this.ids[at] = nextId
    if (++this.used * 2 > this.keys.length) this.grow()
    return nextId
  }

  find(key: number, hash: number): number | undefined {
    const at = slotOf(this.keys, key, hash)
    return this.keys[at] === key ? this.ids[at] : undefined
  }

  private grow(): void {
    const keys = new Float64Array(this.keys.length * 2).fill(-1)
    const ids = new Int32Array(keys.length)
    for (let i = 0; i < this.keys.length; i++) {
      const key = this.keys[i] as number
      if (key < 0) continue
      const at = slotOf(keys, key, hashOf(key))
      keys[at] = key
      ids[at] = this.ids[i] as number
    }
    this.keys = keys
    this.ids = ids
  }
}

function slotOf(keys: Float64Array, key: number, hash: number): number {
  const mask = keys.length - 1
  let at = (hash >>> 6) & mask
  while (keys[at] !== key && (keys[at] as number) >= 0) at = (at + 1) & mask
  return at
}

function hashOf(key: number): number {
  const high = floor(key / 4_294_967_296)
  let hash = imul((key >>> 0) ^ imul(high, 0x9e3779b1), 0x85ebca6b)
  hash = imul(hash ^ (hash >>> 15), 0xc2b2ae35)
  return (hash ^ (hash >>> 13)) >>> 0
}
