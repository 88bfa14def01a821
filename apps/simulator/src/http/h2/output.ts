import { FRAME_HEAD_BYTES } from './frames.ts'

const FIRST_BYTES = 16 * 1024

/** Collects frames, so that all answers to one read of the socket leave in one write. */
export class Output {
  private buffer = Buffer.allocUnsafe(FIRST_BYTES)
  private at = 0

  get isEmpty(): boolean {
    return this.at === 0
  }

  /** The head of a frame; its payload of `length` bytes follows. */
  frame(length: number, type: number, flags: number, streamId: number): void {
    this.reserve(length + FRAME_HEAD_BYTES)
    const { buffer, at } = this
    buffer[at] = length >>> 16
    buffer[at + 1] = length >>> 8
    buffer[at + 2] = length
    buffer[at + 3] = type
    buffer[at + 4] = flags
    this.at = at + 5
    this.uint32(streamId)
  }

  uint32(value: number): void {
    const { buffer, at } = this
    buffer[at] = value >>> 24
    buffer[at + 1] = value >>> 16
    buffer[at + 2] = value >>> 8
    buffer[at + 3] = value
    this.at = at + 4
  }

  uint16(value: number): void {
    this.buffer[this.at++] = value >>> 8
    this.buffer[this.at++] = value
  }

  uint8(value: number): void {
    this.buffer[this.at++] = value
  }

  bytes(source: Buffer, start = 0, end = source.length): void {
    this.at += source.copy(this.buffer, this.at, start, end)
  }

  text(text: string): void {
    this.at += this.buffer.write(text, this.at, 'utf8')
  }

  latin1(text: string): void {
    this.at += this.buffer.write(text, this.at, 'latin1')
  }

  /** Everything collected so far; the caller owns it. */
  take(): Buffer {
    const taken = this.buffer.subarray(0, this.at)
    this.buffer = Buffer.allocUnsafe(this.buffer.length)
    this.at = 0
    return taken
  }

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + bytes))
    this.buffer.copy(larger, 0, 0, this.at)
    this.buffer = larger
  }
}
