import { readFile, writeFile } from 'node:fs/promises'
import { expect, it } from '@jest/globals'
import { ROUTES } from '../src/routes/index.ts'
import { ERRORS } from '../src/wire/errors.ts'

const PAGE = new URL('../../../docs/http-api.md', import.meta.url)
const LIST = /(<!-- errors:begin -->\n)([\s\S]*?)(<!-- errors:end -->)/

/** The list of errors as it must stand in the page. `UPDATE_DOCS=1` writes it. */
function errorList(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, [status, error, exception, sentence]]) =>
      `| ${status} | ${code} | \`${error}\` | \`${exception}\` | ${sentence} |`,
  )
  return `| HTTP | code | \`error\` | \`exception\` | text |\n|---|---|---|---|---|\n${rows.join('\n')}\n`
}

it('docs/http-api.md lists every error as the table has it', async () => {
  const page = await readFile(PAGE, 'utf8')
  if (process.env['UPDATE_DOCS'] === '1')
    await writeFile(PAGE, page.replace(LIST, `$1${errorList().replaceAll('$', '$$$$')}$3`))
  const [, , listed] = LIST.exec(await readFile(PAGE, 'utf8')) ?? []
  expect(listed).toBe(errorList())
})

it('docs/http-api.md names every route', async () => {
  const page = await readFile(PAGE, 'utf8')
  const parameters: Record<string, string> = {
    taskId: '{id}',
    target: '{user}',
    username: '{user}',
    notifier: '{name or uuid}',
  }
  const missing = ROUTES.map(({ path }) =>
    path.replaceAll(/:(\w+)/g, (_, name: string) => parameters[name] ?? `{${name}}`),
  )
    .filter((path) => !page.includes(path) && !page.includes(path.replace(/\/\w+$/, '/pause, resume, cancel')))
    .filter((path) => !page.includes(path.replace('{name or uuid}', '{name}')))
  expect(missing).toEqual([])
})
