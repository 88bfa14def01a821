import { type Env, optionalText, port, readSettings, text } from '@fanfare/runtime/settings'
import type { SimulatorOptions } from './simulator.ts'

const SETTINGS = {
  host: ['HOST', text('127.0.0.1')],
  port: ['SIMULATOR_PORT', port(0)],
  controlPort: ['SIMULATOR_CONTROL_PORT', port(0)],
  smtpPort: ['SIMULATOR_SMTP_PORT', port(0)],
  smtpSecurePort: ['SIMULATOR_SMTPS_PORT', port(0)],
  caFile: ['SIMULATOR_CA_FILE', optionalText()],
} as const

/** Reads the simulator's environment; throws one sentence that begins with the variable. */
export const readConfig = (env: Env = process.env): SimulatorOptions => readSettings(SETTINGS, env)
