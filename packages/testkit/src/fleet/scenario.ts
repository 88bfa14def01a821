import { type ParseArgsConfig, parseArgs } from 'node:util'

class UsageError extends Error {}

export type Options = Readonly<Record<string, string | boolean | undefined>>
/** What is printed. `held: false` (not printed) makes the process exit with 1. */
export type Figures = Record<string, unknown> & { held?: boolean }
export type Scenario = {
  options: NonNullable<ParseArgsConfig['options']>
  /** Takes words besides its options. */
  positionals?: boolean
  run(options: Options, positionals: readonly string[]): Promise<Figures>
}

export const STORE_OPTIONS = {
  store: { type: 'string', default: 'sqlite' },
  sync: { type: 'string', default: 'full' },
  keep: { type: 'boolean', default: false },
  profile: { type: 'string' },
} as const

export type StoreOptions = {
  store: 'sqlite' | 'mongo'
  sync: 'full' | 'normal'
  keep: boolean
  profile: string | undefined
}

/** Where the record is kept, and what is kept of the run: `--keep` its directory, `--profile DIR` CPU profiles. */
export function storeOptions(options: Options): StoreOptions {
  const store = oneOf(options, 'store', ['sqlite', 'mongo'] as const)
  const sync = oneOf(options, 'sync', ['full', 'normal'] as const)
  return { store, sync, keep: options['keep'] === true, profile: options['profile'] as string | undefined }
}

/** The part of them that is printed. */
export function storeFigures(options: Options): { store: string; sync?: string } {
  const { store, sync } = storeOptions(options)
  return store === 'sqlite' ? { store, sync } : { store }
}

export function oneOf<const T extends string>(options: Options, name: string, allowed: readonly T[]): T {
  const value = allowed.find((each) => each === options[name])
  if (value === undefined) throw new UsageError(`--${name} ${String(options[name])}: one of ${allowed.join(', ')}`)
  return value
}

export function numberOf(options: Options, name: string): number {
  const value = Number(options[name])
  if (!Number.isFinite(value) || value < 0) throw new UsageError(`--${name} ${String(options[name])} is no number`)
  return value
}

export const progress = (text: string): void => {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`)
}

export const round = (value: number, digits = 1): number => Number(value.toFixed(digits))

/**
 * Runs the scenario that the first argument names: progress goes to stderr, the figures go to stdout as one line of
 * JSON. Answers the process's exit code: 0 unless `held` of the figures is false; 1 where the scenario broke off.
 */
export async function runScenario(scenarios: Readonly<Record<string, Scenario>>, argv: string[]): Promise<number> {
  try {
    const [name, ...args] = argv
    const scenario = name === undefined ? undefined : scenarios[name]
    if (!scenario) throw new UsageError(`unknown scenario ${name ?? ''}: one of ${Object.keys(scenarios).join(', ')}`)
    const { values, positionals } = parsed(scenario, args)
    const { held, ...figures } = await scenario.run(values, positionals)
    process.stdout.write(`${JSON.stringify({ scenario: name, ...figures })}\n`)
    return held === false ? 1 : 0
  } catch (error) {
    process.stderr.write(`${error instanceof UsageError ? error.message : (error as Error).stack}\n`)
    return 1
  }
}

function parsed(scenario: Scenario, args: string[]): { values: Options; positionals: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: scenario.options,
      allowPositionals: scenario.positionals ?? false,
    })
    return { values: values as Options, positionals }
  } catch (error) {
    const known = Object.keys(scenario.options).map((option) => `--${option}`)
    throw new UsageError(`${(error as Error).message}\nknown: ${known.join(' ')}`)
  }
}
