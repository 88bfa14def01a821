import type { AddressInfo } from 'node:net'
import type { SMTPServerDataStream, SMTPServerOptions, SMTPServerSession } from 'smtp-server'
import { SMTPServer } from 'smtp-server'
import { behaviourOf } from '../../behaviours.ts'
import type { TestCertificate } from '../../certificate.ts'
import type { Context } from '../../context.ts'
import { Sockets } from '../../http/sockets.ts'
import { AUTH_REFUSED, dataError, RUBBISH, SENDER_REFUSED } from './replies.ts'
import type { Ending } from './transactions.ts'
import { accountOf, Transactions } from './transactions.ts'

/** `port`: plain with STARTTLS; `securePort`: TLS from the first byte. */
export type EmailServer = { port: number; securePort: number; close(): Promise<void> }
export type EmailAddress = { host: string; port: number; securePort: number }

type Done = (error?: Error | null) => void
type DataDone = (error?: Error | null, message?: string) => void

const MAX_MAIL_BYTES = 10 * 1024 * 1024
const CLOSE_AFTER_MS = 100

/** Starts both SMTP ports. The local part of an address says what becomes of it. */
export async function listenForMail(
  context: Context,
  certificate: TestCertificate,
  { host, port, securePort }: EmailAddress,
): Promise<EmailServer> {
  const plain = new MailServer(context, certificate, false)
  const secure = new MailServer(context, certificate, true)
  const close = async () => {
    await Promise.all([plain.close(), secure.close()])
  }
  try {
    return { port: await plain.listen(host, port), securePort: await secure.listen(host, securePort), close }
  } catch (error) {
    await close()
    throw error
  }
}

class MailServer {
  private readonly server: SMTPServer
  private readonly sockets: Sockets
  private readonly transactions: Transactions

  constructor(context: Context, { keyPem, certPem }: TestCertificate, secure: boolean) {
    this.transactions = new Transactions(context)
    const options = { secure, key: keyPem, cert: certPem, ...LIMITS, ...this.handlers() }
    this.server = new SMTPServer(options as unknown as SMTPServerOptions)
    this.server.on('error', ignore)
    this.sockets = new Sockets(this.server.server)
  }

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const { server } = this.server
      server.once('error', reject)
      this.server.listen(port, host, () => resolve((server.address() as AddressInfo).port))
    })
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve())
      this.sockets.destroyAll()
    })
  }

  private handlers() {
    const { transactions } = this
    return {
      onConnect: (session: SMTPServerSession, done: Done) => {
        if (!transactions.accessFault(accountOf(session), ['greet-hang'])) done()
      },
      onAuth: (auth: { username?: string; password?: string }, _session: unknown, done: AuthDone) => {
        const user = auth.username ?? ''
        const isRefused = !auth.password || auth.password.startsWith('bad-')
        const fault = transactions.accessFault(user, ['401', 'expired'])
        if (isRefused || fault) done(AUTH_REFUSED)
        else done(null, { user })
      },
      onMailFrom: ({ address }: { address: string }, session: SMTPServerSession, done: Done) => {
        transactions.begin(session)
        if (transactions.accessFault(accountOf(session), ['mail-hang'])) return
        const fault = transactions.accessFault(accountOf(session), ['403-wrong-project', 'no-project'])
        done(fault || behaviourOf(address)?.kind === '401' ? SENDER_REFUSED : null)
      },
      onRcptTo: ({ address }: { address: string }, session: SMTPServerSession, done: Done) =>
        done(transactions.checkRecipient(session, address)),
      onData: (stream: SMTPServerDataStream, session: SMTPServerSession, done: DataDone) =>
        this.takeMail(stream, session, done),
    }
  }

  private takeMail(stream: SMTPServerDataStream, session: SMTPServerSession, done: DataDone): void {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      const ending = this.transactions.endingOf(session)
      const error = stream.sizeExceeded ? undefined : dataError(ending)
      const tokens = session.envelope.rcptTo.map(({ address }) => address)
      const accepted = !error && !stream.sizeExceeded
      const raw = Buffer.concat(chunks).toString('utf8')
      const code = accepted ? 250 : (error?.responseCode ?? 552)
      this.transactions.record(session, tokens, { accepted, kind: ending.kind, code, raw })
      if (error) done(error)
      else setTimeout(() => this.finish(ending, session, done), ending.afterMs).unref()
    })
  }

  /** What cannot be said in SMTP (a body that drips or never ends) hangs. */
  private finish({ kind }: Ending, session: SMTPServerSession, done: DataDone): void {
    if (kind === 'ok' || kind === 'goaway') done(null, '2.0.0 OK: queued')
    else if (kind === 'rubbish') done(RUBBISH)
    else if (kind === 'reset' || kind === 'reset-stream') this.sockets.reset(session.remotePort)
    else if (kind === 'close') this.sockets.end(session.remotePort)
    if (kind === 'goaway') setImmediate(() => this.sockets.end(session.remotePort))
  }
}

type AuthDone = (error: Error | null, response?: { user: string }) => void

const LIMITS = {
  size: MAX_MAIL_BYTES,
  authOptional: true,
  disableReverseLookup: true,
  // The answers carry their own enhanced codes; smtp-server would put a general one before each.
  hideENHANCEDSTATUSCODES: true,
  closeTimeout: CLOSE_AFTER_MS,
  logger: false,
}

function ignore(): void {}
