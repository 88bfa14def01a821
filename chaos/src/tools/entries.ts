import { fileURLToPath } from 'node:url'
import type { FleetOptions, Options } from '@fanfare/testkit'

/** The compiled entry `name` of this workspace. */
export const entryScript = (name: string): string =>
  fileURLToPath(new URL(`../entries/${name}.entry.js`, import.meta.url))

/** `--without-sweeper`: workers whose recovery is switched off, to show what it is worth. */
export const withoutSweeper = (options: Options): Pick<FleetOptions, 'workerScript'> =>
  options['without-sweeper'] === true ? { workerScript: entryScript('worker-without-sweeper') } : {}
