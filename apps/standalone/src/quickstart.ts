import { parseArgs } from 'node:util'
import { SettingError } from '@fanfare/runtime/settings'
import { readConfig } from './config.ts'
import { runDemo } from './demo.ts'
import { APP_PATH, DemoApp } from './demo-app.ts'
import { openKeys } from './keys.ts'
import { StandaloneService } from './service.ts'

const USAGE = 'npm run quickstart [-- --once]'

/** Starts everything, runs the demo, and stays up until Ctrl-C; with `--once` it ends with what the checks found. */
async function quickstart(): Promise<void> {
  const once = readOnce()
  const config = readConfig()
  const keys = openKeys(config.dataDir)
  const service = await StandaloneService.start(config, keys.keys)
  const ended = untilSignal()
  try {
    // A signal ends the demo too, wherever it is.
    const token = await Promise.race([demo(service.url, keys), ended])
    if (once || token === undefined) return
    process.stdout.write(farewell(service.url, token, keys.keys.operatorToken))
    await ended
  } finally {
    await service.destroy()
  }
}

/** Answers the app's token; sets the exit code where a result is not as expected. */
async function demo(url: string, keys: ReturnType<typeof openKeys>): Promise<string> {
  const app = await DemoApp.open(url, keys)
  try {
    const steps = await runDemo(app, (text) => void process.stdout.write(text.startsWith('\r') ? text : `${text}\n`))
    if (steps.some((step) => step.result !== step.expected)) process.exitCode = 1
    return app.token
  } finally {
    app.close()
  }
}

function readOnce(): boolean {
  try {
    return parseArgs({ options: { once: { type: 'boolean', default: false } } }).values.once
  } catch (error) {
    throw new SettingError(`${(error as Error).message}. Usage: ${USAGE}`)
  }
}

function untilSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(undefined))
  })
}

function farewell(url: string, token: string, operatorToken: string): string {
  return `
API       ${url}${APP_PATH}
Token     ${token}
Try       curl -s ${url}${APP_PATH}/push/single -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '{"targets":["alice"],"pushMessage":{"title":"Hello","content":"Your first push"}}'
Queues    ${url}/admin/queues (any user name, password ${operatorToken})
Stop      Ctrl-C
`
}

const NO_DATA = new Set(['EACCES', 'EPERM', 'EROFS', 'EEXIST', 'ENOTDIR', 'ENOENT', 'ENOSPC'])

/** One sentence for what a user can mend; anything else is a bug and shows its stack. */
function explain(error: unknown): string {
  if (error instanceof SettingError) return error.message
  const { message, stack, path, cause } = error as NodeJS.ErrnoException
  const code = (error as NodeJS.ErrnoException).code ?? (cause as NodeJS.ErrnoException | undefined)?.code ?? ''
  if (code === 'EADDRINUSE') return `${message}: stop it, or choose another port with PORT=….`
  if (NO_DATA.has(code))
    return `The data directory cannot be used (${code} at ${path}): choose another with FANFARE_DATA=….`
  if (/redis/i.test(message)) return message
  return stack ?? String(error)
}

try {
  await quickstart()
} catch (error) {
  process.stderr.write(`${explain(error)}\n`)
  process.exitCode = 1
}
