import type { AddressInfo } from 'node:net'
import type { Express } from 'express'
import express from 'express'
import type { Context } from '../context.ts'
import { changeSettings } from '../settings.ts'
import { faultRoutes } from './fault-routes.ts'
import { journalRoutes } from './journal-routes.ts'
import { BadQuery, vendorFrom } from './query.ts'

export type ControlServer = { port: number; close(): Promise<void> }

/** Serves journal, faults, settings, trusted keys and health over plain HTTP. */
export async function listenForControl(context: Context, at: { host: string; port: number }): Promise<ControlServer> {
  const app = controlApp(context)
  const server = await new Promise<ReturnType<Express['listen']>>((resolve, reject) => {
    const listening = app.listen(at.port, at.host, (error?: Error) => (error ? reject(error) : resolve(listening)))
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function controlApp(context: Context): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use(express.json({ limit: '1mb' }))
  app.get('/health', (_request, response) => response.json({ ok: true, uptimeSeconds: process.uptime() }))
  app.use('/journal', journalRoutes(context))
  app.use('/faults', faultRoutes(context))
  app.get('/settings', (_request, response) => response.json(context.settings))
  app.put('/settings', (request, response) => {
    changeSettings(context.settings, (request.body ?? {}) as object)
    response.json(context.settings)
  })
  app.delete('/tokens', (request, response) => {
    context.revokeTokens(vendorFrom(request))
    response.json({ ok: true })
  })
  app.put('/keys', (request, response) => {
    const { keyId, publicKey } = (request.body ?? {}) as Record<string, unknown>
    if (typeof keyId !== 'string' || typeof publicKey !== 'string')
      throw new BadQuery('keyId and publicKey (PEM) are needed')
    context.trustKey(keyId, publicKey)
    response.json({ keyId })
  })
  app.use(answerError)
  return app
}

/** Four parameters: Express knows an error handler by their number. */
function answerError(error: unknown, _request: express.Request, response: express.Response, _next: unknown): void {
  const isCallersFault = error instanceof BadQuery || error instanceof RangeError || error instanceof SyntaxError
  const message = error instanceof Error ? error.message : String(error)
  response.status(isCallersFault ? 400 : 500).json({ error: message })
}
