import { resolve } from 'node:path'

export type StandaloneConfig = {
  /** Where everything is kept: database, Redis' append-only file, keys. */
  dataDir: string
  host: string
  /** 0 = any free port. */
  port: number
  logLevel: string
  /** A Redis to use instead of a child process. */
  redisUrl?: string
}

/** A setting that cannot be used; the sentence names the variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

export function readConfig(env: NodeJS.ProcessEnv = process.env): StandaloneConfig {
  const port = Number(env['PORT'] ?? 8099)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ConfigError(`PORT must be a number from 0 to 65535, not "${env['PORT']}".`)
  }
  const config = {
    dataDir: resolve(env['FANFARE_DATA'] ?? 'data'),
    host: env['HOST'] ?? '127.0.0.1',
    port,
    logLevel: env['LOG_LEVEL'] ?? 'error',
  }
  return env['REDIS_URL'] ? { ...config, redisUrl: env['REDIS_URL'] } : config
}
