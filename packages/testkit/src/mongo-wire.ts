import { connect } from 'node:net'

export type WireValue = number | string | boolean | readonly WireValue[] | { [key: string]: WireValue }

const OP_MSG = 2013

/**
 * Sends one command to a MongoDB server and answers the raw reply (OP_MSG, MongoDB wire protocol). Only what starting
 * a server needs: `hello` and `replSetInitiate`. Rejects where nothing listens or no reply comes within a second.
 */
export function mongoCommand(port: number, command: Record<string, WireValue>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let reply = Buffer.alloc(0)
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(frame({ ...command, $db: 'admin' })))
    const fail = (error: Error) => {
      socket.destroy()
      reject(error)
    }
    socket.setTimeout(1000, () => fail(new Error('no reply within a second')))
    socket.once('error', fail)
    socket.once('end', () => fail(new Error('connection closed')))
    socket.on('data', (data) => {
      reply = Buffer.concat([reply, data])
      if (reply.length < 4 || reply.length < reply.readInt32LE(0)) return
      socket.destroy()
      resolve(reply)
    })
  })
}

/** Whether a reply holds this field with the value true. */
export const hasTrue = (reply: Buffer, field: string): boolean => reply.includes(`\x08${field}\0\x01`, 0, 'latin1')

function frame(command: Record<string, WireValue>): Buffer {
  const body = document(command)
  const head = Buffer.alloc(21)
  head.writeInt32LE(21 + body.length, 0)
  head.writeInt32LE(1, 4)
  head.writeInt32LE(OP_MSG, 12)
  return Buffer.concat([head, body])
}

function document(fields: Record<string, WireValue>): Buffer {
  const parts = Object.entries(fields).map(([key, value]) => element(key, value))
  const body = Buffer.concat(parts)
  const length = Buffer.alloc(4)
  length.writeInt32LE(body.length + 5)
  return Buffer.concat([length, body, Buffer.from([0])])
}

function element(key: string, value: WireValue): Buffer {
  const [type, bytes] = encoded(value)
  return Buffer.concat([Buffer.from([type]), Buffer.from(`${key}\0`), bytes])
}

function encoded(value: WireValue): [type: number, bytes: Buffer] {
  if (typeof value === 'boolean') return [0x08, Buffer.from([value ? 1 : 0])]
  if (typeof value === 'number') return [0x10, int32(value)]
  if (typeof value === 'string')
    return [0x02, Buffer.concat([int32(Buffer.byteLength(value) + 1), Buffer.from(`${value}\0`)])]
  if (Array.isArray(value)) return [0x04, document(Object.fromEntries(value.entries()) as Record<string, WireValue>)]
  return [0x03, document(value as Record<string, WireValue>)]
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}
