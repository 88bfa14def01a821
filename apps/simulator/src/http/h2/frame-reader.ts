import { ConnectionError, ERROR, FLAG, FRAME, FRAME_HEAD_BYTES, MAX_FRAME_BYTES, PREFACE } from './frames.ts'

/** One frame; the payload without padding and priority is `buffer[start, end)`. It is only valid during the call. */
export type FrameHead = {
  type: number
  flags: number
  streamId: number
  buffer: Buffer
  start: number
  end: number
  /** With padding, as flow control counts it. */
  payloadBytes: number
}

const PRIORITY_BYTES = 5
/** Least payloads that have to be there to be read. */
const LEAST_BYTES: Readonly<Record<number, number>> = {
  [FRAME.rstStream]: 4,
  [FRAME.ping]: 8,
  [FRAME.goaway]: 8,
  [FRAME.windowUpdate]: 4,
}

/** Cuts the bytes of a connection into frames; header blocks come whole. */
export class FrameReader {
  private rest: Buffer | undefined
  private hasPreface = false
  private readonly receive: (frame: FrameHead) => void
  /** A header block that goes on in CONTINUATION frames. */
  private unfinished: { head: FrameHead; parts: Buffer[] } | undefined
  private readonly frame: FrameHead = {
    ...{ type: 0, flags: 0, streamId: 0, buffer: PREFACE, start: 0, end: 0, payloadBytes: 0 },
  }

  constructor(receive: (frame: FrameHead) => void) {
    this.receive = receive
  }

  /** Throws ConnectionError where the peer breaks the protocol. */
  take(chunk: Buffer): void {
    const buffer = this.rest ? Buffer.concat([this.rest, chunk]) : chunk
    let at = this.hasPreface ? 0 : this.takePreface(buffer)
    while (this.hasPreface && buffer.length - at >= FRAME_HEAD_BYTES) {
      const length = buffer.readUIntBE(at, 3)
      if (length > MAX_FRAME_BYTES) throw new ConnectionError(ERROR.frameSize, `frame of ${length} bytes`)
      const end = at + FRAME_HEAD_BYTES + length
      if (end > buffer.length) break
      this.cut(buffer, at, end)
      at = end
    }
    this.rest = at < buffer.length ? buffer.subarray(at) : undefined
  }

  private takePreface(buffer: Buffer): number {
    if (buffer.length < PREFACE.length) return 0
    if (!buffer.subarray(0, PREFACE.length).equals(PREFACE)) throw new ConnectionError(ERROR.protocol, 'no preface')
    this.hasPreface = true
    return PREFACE.length
  }

  private cut(buffer: Buffer, at: number, end: number): void {
    const { frame } = this
    frame.type = buffer[at + 3] as number
    frame.flags = buffer[at + 4] as number
    frame.streamId = buffer.readUInt32BE(at + 5) & 0x7fffffff
    frame.buffer = buffer
    frame.start = at + FRAME_HEAD_BYTES
    frame.end = end
    frame.payloadBytes = end - frame.start
    if (frame.payloadBytes < (LEAST_BYTES[frame.type] ?? 0)) throw new ConnectionError(ERROR.frameSize, 'short frame')
    if (frame.type === FRAME.headers || frame.type === FRAME.data) strip(frame)
    this.join(frame)
  }

  /** Passes a frame on, header blocks only when they are complete. */
  private join(frame: FrameHead): void {
    const { unfinished } = this
    const isContinuation = frame.type === FRAME.continuation
    if (isContinuation !== (unfinished !== undefined)) throw new ConnectionError(ERROR.protocol, 'CONTINUATION')
    const isWhole = (frame.flags & FLAG.endHeaders) !== 0
    if (frame.type === FRAME.headers && !isWhole) this.unfinished = { head: { ...frame }, parts: [copyOf(frame)] }
    else if (!unfinished) this.receive(frame)
    else {
      unfinished.parts.push(copyOf(frame))
      if (isWhole) this.finish(unfinished)
    }
  }

  private finish({ head, parts }: { head: FrameHead; parts: Buffer[] }): void {
    this.unfinished = undefined
    const buffer = Buffer.concat(parts)
    this.receive({ ...head, buffer, start: 0, end: buffer.length })
  }
}

/** Takes padding and priority away. */
function strip(frame: FrameHead): void {
  if (frame.flags & FLAG.padded) frame.end -= frame.buffer[frame.start++] as number
  if (frame.type === FRAME.headers && frame.flags & FLAG.priority) frame.start += PRIORITY_BYTES
  if (frame.start > frame.end) throw new ConnectionError(ERROR.protocol, 'padding longer than the frame')
}

function copyOf({ buffer, start, end }: FrameHead): Buffer {
  return Buffer.from(buffer.subarray(start, end))
}
