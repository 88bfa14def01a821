import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openStore } from '@fanfare/storage'
import { expect, it } from '@jest/globals'

const run = promisify(execFile)
const FILL = fileURLToPath(new URL('./fill.ts', import.meta.url))
/** In blocks of 512 bytes: 4 MB. */
const LIMIT = 8192

type Report = { accepted: string[]; refused: string[]; error: string; readable: boolean }

it('says StoreDownError when the disk is full, and keeps what it accepted whole and nothing else', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'fanfare-full-'))
  const url = `sqlite:${join(directory, 'fanfare.db')}`
  const node = `exec "${process.execPath}" --import tsx --conditions=@fanfare/source "${FILL}" "${url}"`
  const { stdout } = await run('sh', ['-c', `ulimit -f ${LIMIT}; ${node}`])
  const report = JSON.parse(stdout) as Report
  expect(report.error).toBe('StoreDownError')
  expect(report.readable).toBe(true)
  expect(report.accepted.length).toBeGreaterThan(20)
  const store = await openStore(url, { masterKey: randomBytes(32) })
  const accepted = await store.tasks.byIds(report.accepted)
  expect(accepted.every((task) => task !== undefined)).toBe(true)
  const refs = report.accepted.flatMap((taskId) => [0, 1].map((seq) => ({ taskId, seq })))
  const chunks = await store.chunks.byRefs(refs)
  expect(chunks.every((chunk) => chunk?.members.length === 50)).toBe(true)
  const refused = await store.tasks.byIds(report.refused)
  expect(refused.every((task) => task === undefined)).toBe(true)
  expect((await store.chunks.byRefs(report.refused.map((taskId) => ({ taskId, seq: 0 })))).every((one) => !one)).toBe(
    true,
  )
  await store.close()
  await rm(directory, { recursive: true, force: true })
}, 60_000)
