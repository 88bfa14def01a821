import { writeFile } from 'node:fs/promises'
import type { TestCertificate } from './certificate.ts'
import { makeTestCertificate } from './certificate.ts'
import { Context } from './context.ts'
import { listenForControl } from './control/server.ts'
import type { Faults } from './faults.ts'
import type { Exchange, Handle, Reply } from './http/exchange.ts'
import { listenForVendors } from './http/server.ts'
import type { Journal } from './journal/journal.ts'
import type { VendorName } from './names.ts'
import type { Settings } from './settings.ts'
import { ApnsVendor } from './vendors/apns/index.ts'
import type { EmailServer } from './vendors/email/index.ts'
import { listenForMail } from './vendors/email/index.ts'
import { FcmVendor } from './vendors/fcm/index.ts'
import { HuaweiVendor } from './vendors/huawei/index.ts'
import type { HttpVendor } from './vendors/vendor.ts'
import { pathOnly } from './vendors/vendor.ts'
import { WecomVendor } from './vendors/wecom/index.ts'
import { XiaomiVendor } from './vendors/xiaomi/index.ts'

/** Ports: 0 or absent = a free one. */
export type SimulatorOptions = Partial<Settings> & {
  host?: string
  port?: number
  controlPort?: number
  smtpPort?: number
  smtpSecurePort?: number
  /** Where to write the test CA as PEM. */
  caFile?: string
}

const DEFAULTS = { host: '127.0.0.1', port: 0, controlPort: 0, smtpPort: 0, smtpSecurePort: 0, caFile: '' }

export type Simulator = {
  /** HTTPS base of all HTTP vendors: HTTP/2 and HTTP/1.1. */
  url: string
  /** Plain HTTP: journal, faults, settings, health. */
  controlUrl: string
  /** `port`: plain with STARTTLS; `securePort`: TLS from the first byte. */
  smtp: { host: string; port: number; securePort: number }
  /** The CA that clients must trust. */
  caPem: string
  caPath?: string
  journal: Journal
  faults: Faults
  settings: Settings
  /** From now on signatures that name this key id are verified with this public key (PEM). */
  trustKey(keyId: string, publicKeyPem: string): void
  /** Makes every issued access token invalid at once. */
  revokeTokens(vendor?: VendorName): void
  /** Forgets arrivals, visits and faults. */
  reset(): void
  close(): Promise<void>
}

type Listeners = {
  vendors: { port: number; close(): Promise<void> }
  mail: EmailServer
  control: { port: number; close(): Promise<void> }
}

/** Starts all vendors on loopback. The certificate is new every time and lives in memory. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host, port, controlPort, smtpPort, smtpSecurePort, caFile, ...settings } = { ...DEFAULTS, ...options }
  const context = new Context(settings)
  const certificate = await makeTestCertificate()
  if (caFile) await writeFile(caFile, certificate.caPem)
  const handle = routerOf([
    new FcmVendor(context),
    new ApnsVendor(context),
    new XiaomiVendor(context),
    new HuaweiVendor(context),
    new WecomVendor(context),
  ])
  const listeners = await listen(context, { host, port, controlPort, smtpPort, smtpSecurePort }, certificate, handle)
  return simulatorOf(context, host, listeners, { caPem: certificate.caPem, ...(caFile && { caPath: caFile }) })
}

type Ports = { host: string; port: number; controlPort: number; smtpPort: number; smtpSecurePort: number }

/** Opens all ports. Where one is taken, those opened before are closed again and the error goes to the caller. */
async function listen(
  context: Context,
  { host, port, controlPort, smtpPort, smtpSecurePort }: Ports,
  certificate: TestCertificate,
  handle: Handle,
): Promise<Listeners> {
  const opened: { close(): Promise<void> }[] = []
  const keep = <T extends { close(): Promise<void> }>(listener: T): T => {
    opened.push(listener)
    return listener
  }
  try {
    return {
      vendors: keep(await listenForVendors(certificate, context.settings, { host, port }, handle)),
      mail: keep(await listenForMail(context, certificate, { host, port: smtpPort, securePort: smtpSecurePort })),
      control: keep(await listenForControl(context, { host, port: controlPort })),
    }
  } catch (error) {
    await Promise.all(opened.map((listener) => listener.close()))
    throw error
  }
}

function simulatorOf(context: Context, host: string, listeners: Listeners, ca: Pick<Simulator, 'caPem' | 'caPath'>) {
  const { vendors, mail, control } = listeners
  const { journal, faults, settings } = context
  return {
    url: `https://${host}:${vendors.port}`,
    controlUrl: `http://${host}:${control.port}`,
    smtp: { host, port: mail.port, securePort: mail.securePort },
    ...ca,
    journal,
    faults,
    settings,
    trustKey: (keyId: string, publicKeyPem: string) => context.trustKey(keyId, publicKeyPem),
    revokeTokens: (vendor?: VendorName) => context.revokeTokens(vendor),
    reset: () => {
      context.resetJournal()
      faults.clear()
    },
    close: async () => {
      await Promise.all([vendors.close(), mail.close(), control.close()])
    },
  }
}

function routerOf(vendors: readonly HttpVendor[]): (exchange: Exchange) => void {
  return (exchange) => {
    const path = pathOnly(exchange)
    const vendor = vendors.find((candidate) => candidate.owns(path))
    try {
      if (vendor) vendor.handle(exchange)
      else exchange.reply(plain(404, `no vendor has ${path}`))
    } catch (error) {
      // A request nobody thought of, such as JSON nested deeper than the stack: it must not end the simulator.
      process.stderr.write(`simulator: ${error instanceof Error ? error.stack : String(error)}\n`)
      exchange.reply(plain(500, 'the simulator failed; see its log'))
    }
  }
}

function plain(status: number, text: string): Reply {
  return { status, headers: { 'content-type': 'text/plain' }, body: `${text}\n` }
}
