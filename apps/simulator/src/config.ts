import type { SimulatorOptions } from './simulator.ts'

/** Reads the simulator's environment. Throws with the name of the variable that is no port number. */
export function configFrom(env: NodeJS.ProcessEnv): SimulatorOptions {
  return {
    host: env['HOST'] ?? '127.0.0.1',
    port: portFrom(env, 'SIMULATOR_PORT'),
    controlPort: portFrom(env, 'SIMULATOR_CONTROL_PORT'),
    smtpPort: portFrom(env, 'SIMULATOR_SMTP_PORT'),
    smtpSecurePort: portFrom(env, 'SIMULATOR_SMTPS_PORT'),
    ...(env['SIMULATOR_CA_FILE'] && { caFile: env['SIMULATOR_CA_FILE'] }),
  }
}

function portFrom(env: NodeJS.ProcessEnv, name: string): number {
  const port = Number(env[name] ?? 0)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`${name} must be a port number`)
  return port
}
