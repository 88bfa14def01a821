import { TASK_TTL_MS } from '@fanfare/core'
import {
  COMMON_DEFAULTS,
  type CommonConfig,
  type Env,
  oneOf,
  port,
  readBy,
  readCommonConfig,
  readSettings,
  text,
  wholeNumber,
} from '@fanfare/runtime'
import { readNetworks } from './http/callers.ts'
import type { SocketLimits } from './http/sockets.ts'

/** Everything the API can be told from outside; read from the environment once and judged once. */
export type ApiConfig = CommonConfig &
  SocketLimits & {
    /** Absent: every admin route refuses. */
    operatorToken?: string
    host: string
    port: number
    /** IANA name of the zone in which `startDate` is read. */
    zone: string
    /** What a Han character counts in title and content limits (docs/wire-api.md §7.15). */
    hanWidth: 1 | 2
    /** From a task's start to its expiry. */
    taskTtlMs: number
    /** Requests that are worked on at once, counted from when they have arrived whole; more are answered 503. */
    maxInFlight: number
    /** A request must have arrived whole within this; its head within 10 s. */
    requestTimeoutMs: number
  }

export const API_DEFAULTS = {
  ...COMMON_DEFAULTS,
  host: '127.0.0.1',
  port: 8099,
  zone: 'UTC',
  hanWidth: 2,
  taskTtlMs: TASK_TTL_MS,
  maxInFlight: 500,
  requestTimeoutMs: 30_000,
  maxSockets: 10_000,
  socketsPerAddress: 500,
  trustedProxies: [],
  answerTimeoutMs: 15_000,
} as const satisfies Partial<ApiConfig>

const HOUR_MS = 3_600_000
const SETTINGS = {
  operatorToken: ['FANFARE_OPERATOR_TOKEN', readBy(operatorTokenOf)],
  host: ['HOST', text(API_DEFAULTS.host)],
  port: ['PORT', port(API_DEFAULTS.port)],
  zone: ['FANFARE_ZONE', readBy(zoneOf)],
  hanWidth: ['FANFARE_HAN_WIDTH', oneOf(['1', '2'], '2').transform((width) => (width === '1' ? 1 : 2))],
  taskTtlMs: [
    'FANFARE_TASK_TTL_HOURS',
    wholeNumber({ least: 1, most: 168, otherwise: TASK_TTL_MS / HOUR_MS }).transform((hours) => hours * HOUR_MS),
  ],
  maxSockets: ['FANFARE_MAX_SOCKETS', wholeNumber({ least: 10, most: 1_000_000, otherwise: API_DEFAULTS.maxSockets })],
  socketsPerAddress: [
    'FANFARE_SOCKETS_PER_ADDRESS',
    wholeNumber({ least: 1, most: 1_000_000, otherwise: API_DEFAULTS.socketsPerAddress }),
  ],
  trustedProxies: ['FANFARE_TRUSTED_PROXIES', readBy(readNetworks)],
} as const

/** Reads the environment; throws one clear sentence for the first thing that is wrong. */
export const readConfig = (env: Env = process.env): ApiConfig => ({
  ...API_DEFAULTS,
  ...readCommonConfig(env),
  ...readSettings(SETTINGS, env),
})

/** It opens every app, so it must not be one that can be guessed. */
const LEAST_OPERATOR_TOKEN = 24

function operatorTokenOf(token: string | undefined): string | undefined {
  if (token === undefined || token.length >= LEAST_OPERATOR_TOKEN) return token
  throw new Error(
    `must have at least ${LEAST_OPERATOR_TOKEN} characters (openssl rand -hex 24), it has ${token.length}`,
  )
}

function zoneOf(zone: string = API_DEFAULTS.zone): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return zone
  } catch {
    throw new Error(`must be an IANA time zone such as Asia/Shanghai, it is ${zone}`)
  }
}
