import { resolve } from 'node:path'
import { type Env, optionalText, port, readSettings, text } from '@fanfare/runtime/settings'

const SETTINGS = {
  dataDir: ['FANFARE_DATA', text('data').transform((dir) => resolve(dir))],
  host: ['HOST', text('127.0.0.1')],
  port: ['PORT', port(8099)],
  logLevel: ['LOG_LEVEL', text('error')],
  redisUrl: ['REDIS_URL', optionalText()],
} as const

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

/** Throws a SettingError: one sentence that begins with the variable. */
export const readConfig = (env: Env = process.env): StandaloneConfig => readSettings(SETTINGS, env)
