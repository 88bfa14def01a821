import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_ROWS, VERDICTS, type VerdictRow } from '@fanfare/platforms'
import { describe, expect, it } from '@jest/globals'

const ROOT = join(import.meta.dirname, '..')
const PLATFORMS = join(ROOT, 'docs/platforms.md')
const GENERATED = /<!-- verdicts -->[\s\S]*<!-- \/verdicts -->/

const line = (row: VerdictRow): string => {
  const notes = [
    row.note,
    row.scope === 'member' ? 'for this member only' : '',
    row.afterMs ? `after ${row.afterMs} ms` : '',
  ]
  return `| ${row.when.replaceAll('|', '\\|')} | \`${row.outcome}\` | ${notes.filter(Boolean).join('; ')} |`
}
const table = (rows: readonly VerdictRow[]): string =>
  ['| answer | class | |', '|---|---|---|', ...rows.map(line)].join('\n')

/** The tables of packages/platforms/src/*\/verdicts.ts as they stand in docs/platforms.md. */
function verdicts(): string {
  const parts = Object.entries(VERDICTS).map(([name, { link, rows }]) => `### ${name}\n\n<${link}>\n\n${table(rows)}`)
  return [
    '<!-- verdicts -->',
    `### Whatever no row names\n\n${table(DEFAULT_ROWS)}`,
    ...parts,
    '<!-- /verdicts -->',
  ].join('\n\n')
}

describe('docs/platforms.md', () => {
  it('has the verdict tables of the code (`npm run docs` writes them)', () => {
    const page = readFileSync(PLATFORMS, 'utf8')
    const generated = page.replace(GENERATED, () => verdicts())
    if (process.env['WRITE_DOCS']) writeFileSync(PLATFORMS, generated)
    else expect(page).toBe(generated)
  })

  it('covers every platform that has a pusher', () => {
    expect(Object.keys(VERDICTS).sort()).toEqual(['apns', 'email', 'fcm', 'huawei', 'wecom', 'xiaomi'])
  })
})
