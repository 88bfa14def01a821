import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { progress } from '@fanfare/testkit'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** A scenario prints little; one that prints more than this is not ours. */
const MAX_OUTPUT_BYTES = 1024 * 1024
const exec = promisify(execFile)

/** The commit that `ref` names. Rejects with a sentence where it names none. */
export async function commitOf(ref: string): Promise<string> {
  const asked = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`]
  const found = await exec('git', asked, { cwd: ROOT }).catch(() => undefined)
  if (!found) throw new Error(`--base ${ref}: git knows no such commit`)
  return found.stdout.trim()
}

/**
 * A checkout of a commit beside this one, with its dependencies and built; one that stands from an earlier run is used
 * again. Answers its folder.
 */
export async function builtCommit(commit: string): Promise<string> {
  const folder = join(ROOT, '.cache', 'compare', commit.slice(0, 12))
  if (!existsSync(join(folder, 'package.json'))) {
    progress(`checking out ${commit.slice(0, 12)}`)
    await run('git', ['worktree', 'prune'], ROOT)
    await run('git', ['worktree', 'add', '--force', '--detach', folder, commit], ROOT)
  }
  if (!existsSync(join(folder, 'node_modules', '.package-lock.json'))) {
    await run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], folder)
  }
  await run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-b'], folder)
  return folder
}

/** This checkout, as it was built for this run. */
export const thisCommit = (): string => ROOT

/** Runs one scenario of a built checkout and answers the figures of its JSON line. */
export async function figuresOf(folder: string, words: readonly string[]): Promise<Record<string, unknown>> {
  const program = join(folder, 'bench', 'dist', 'main.js')
  const { stdout } = await exec(process.execPath, [program, ...words], { cwd: folder, maxBuffer: MAX_OUTPUT_BYTES })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>
}

/** With its output on stderr; rejects where it fails. */
function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', process.stderr, 'inherit'] })
    child.once('error', reject)
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${args[0]} ended with ${code}`)),
    )
  })
}
