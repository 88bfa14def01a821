import { isIP, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { createTransport, type SendMailOptions } from 'nodemailer'
import type { EmailOptions, MailServer } from './options.ts'

/** A mail on its way. `written`: the server asked for the message and it began to leave. */
export type Sending = { done: Promise<{ response: string; messageId: string }>; written(): boolean }

export interface Mailer {
  send(mail: SendMailOptions, signal: AbortSignal): Sending
  /** Lets what is under way finish. */
  close(): void
}

type Departure = { message?: Readable }

const CONNECT_MS = 10_000
const ANSWER_MS = 15_000

/** nodemailer's pool; a mail is given up after `mailMs`, and goes over another connection only while not a byte of it has left. */
export function openMailer(options: EmailOptions): Mailer {
  const transport = createTransport(poolOptions(options))
  const departures = new Map<string, Departure>()
  transport.use('stream', (mail, done) => {
    const departure = departures.get(String(mail.data.messageId))
    // The message is read only when the server has answered DATA with 354.
    mail.message.processFunc((message: Readable) => {
      if (departure) departure.message = message
      return message
    })
    done()
  })
  return {
    send(mail, signal) {
      const departure: Departure = {}
      const key = String(mail.messageId)
      departures.set(key, departure)
      const deadline = deadlineOf(signal, options.times.mailMs)
      const done = transport.sendMail({ ...mail, signal: deadline.signal }).finally(() => {
        deadline.clear()
        departures.delete(key)
      })
      return { done, written: () => departure.message?.readableDidRead === true }
    },
    close: () => transport.close(),
  }
}

/** Aborts with `signal` or after `ms`. The time-outs of nodemailer are each for one answer, and a trickle of bytes resets them. */
function deadlineOf(signal: AbortSignal, ms: number): { signal: AbortSignal; clear(): void } {
  const stop = new AbortController()
  const abort = () => stop.abort()
  const timer = setTimeout(abort, ms)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  return {
    signal: stop.signal,
    clear: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    },
  }
}

function poolOptions({ server, security, auth, maxConnections, ca }: EmailOptions) {
  const { host, port } = server
  return {
    pool: true as const,
    host,
    port,
    ...(server.guarded ? { getSocket: guardedSocket(server.guarded) } : {}),
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(auth ? { auth } : {}),
    maxConnections,
    maxMessages: 1000,
    // Where a kept connection turns out to be closed, a mail of which nothing has left goes over another one, once.
    maxRequeues: 1,
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    socketTimeout: ANSWER_MS,
    // What is given up is destroyed: a server that stalls does not end its side of the connection either.
    socketCloseTimeout: 0,
    tls: { ...(ca ? { ca } : {}), ...(isIP(host) ? {} : { servername: host }), minVersion: 'TLSv1.2' as const },
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

type Opened = { connection: Socket }
type Done = (error: Error | null, opened?: Opened) => void

/** Every connection of the pool is opened by the guard, with a look-up of its own. */
const guardedSocket =
  ({ guard, written }: NonNullable<MailServer['guarded']>) =>
  (_options: unknown, done: Done): void => {
    guard.connect(written).then((connection) => done(null, { connection }), done)
  }
