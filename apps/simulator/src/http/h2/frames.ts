/** Numbers of HTTP/2 (RFC 9113 §6, §7). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const FLAG = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

export const ERROR = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  frameSize: 6,
  refused: 7,
  compression: 9,
} as const

export const SETTING = { maxConcurrentStreams: 3, initialWindowSize: 4 } as const

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
export const FRAME_HEAD_BYTES = 9
/** Neither side may send longer payloads, as nobody here asks for more. */
export const MAX_FRAME_BYTES = 16_384
export const DEFAULT_WINDOW = 65_535
export const MAX_WINDOW = 2_147_483_647

/** The connection cannot go on: GOAWAY with the code, then the end. */
export class ConnectionError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}
