import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { ATTACKS } from '../chaos/src/tenants/attacks/index.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGE = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')
/** Rows of the tables below their heads: what is claimed, and what proves it. */
const ROWS = PAGE.split('\n')
  .filter((line) => /^\| [^|]/.test(line) && !line.startsWith('| | proof'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, claim = '', proofs = '']) => [claim, proofs.split('<br>')] as const)

/** What is wrong with a proof; empty where it is one. */
function faultOf(proof: string): string {
  const attack = /^chaos › `([\w-]+)`$/.exec(proof)?.[1]
  if (attack !== undefined) return ATTACKS.some(({ name }) => name === attack) ? '' : `no attack ${attack}`
  const [, file = '', name = ''] = /^`([^`]+\.test\.ts)` › (.+)$/.exec(proof) ?? []
  if (name === '') return `${proof} is no proof`
  if (!existsSync(join(ROOT, file))) return `no file ${file}`
  return namesOf(file).some((each) => each.includes(name)) ? '' : `no test "${name}" in ${file}`
}

/** The names of all tests of a file, tables as they are written. */
const namesOf = (file: string): string[] =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(/(['"`])((?:(?!\1).)+)\1, (?:async )?\(/g)].map(
    (match) => match[2] ?? '',
  )

describe('docs/security.md', () => {
  it.each(ROWS)('proves: %s', (_claim, proofs) => {
    expect(proofs.map(faultOf).filter(Boolean)).toEqual([])
  })

  it('names every attack of the isolation suite', () => {
    expect(ATTACKS.map(({ name }) => name).filter((name) => !PAGE.includes(`chaos › \`${name}\``))).toEqual([])
  })

  it('is judged: a file, a test and an attack that are not there are found', () => {
    expect(faultOf('`apps/api/test/nothing.test.ts` › x')).toBe('no file apps/api/test/nothing.test.ts')
    expect(faultOf('`tests/security.test.ts` › is not a test')).toMatch(/^no test/)
    expect(faultOf('chaos › `nothing`')).toBe('no attack nothing')
    expect(faultOf('somebody said so')).toMatch(/is no proof$/)
  })
})
