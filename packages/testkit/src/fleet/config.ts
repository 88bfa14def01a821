/** Settings of the caller's shell must not change a measurement, so a fleet's processes get only these of them. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG'] as const

export const inheritedEnvironment = (env: NodeJS.ProcessEnv = process.env): Record<string, string> =>
  Object.fromEntries(INHERITED.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
