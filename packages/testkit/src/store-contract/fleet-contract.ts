import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { SealError } from '@fanfare/core'
import { expect, it } from '@jest/globals'
import { REPO_ROOT } from '../files.ts'
import { members } from '../make.ts'
import type { GetSubject } from './subject.ts'

const CLAIMER = fileURLToPath(new URL('../claimer.ts', import.meta.url))
const PROCESSES = 8
const CHUNKS = 1000

type Report = { claimed: string[]; ids: number[] }

export function fleetCases(get: GetSubject): void {
  it('does not open a credential with another master key', async () => {
    const { make, reopen } = get()
    const { id } = await make.channel({}, 'mine')
    const same = await reopen?.()
    expect(await same?.channels.credential(id)).toBe('mine')
    await same?.close()
    const other = await reopen?.(randomBytes(32))
    await expect(other?.channels.credential(id)).rejects.toThrow(SealError)
    await other?.close()
  })

  it('8 processes claim 1,000 chunks, each exactly once, and take ids, each once', async () => {
    const { store, make, url, masterKey } = get()
    if (!url || !masterKey) throw new Error('a shared store has a url and a master key')
    const channel = await make.channel()
    const task = await make.task({ appId: channel.appId })
    const chunks = Array.from({ length: CHUNKS }, (_, seq) => ({ seq, channelId: channel.id, members: members(1) }))
    await store.tasks.create([{ task, chunks }])
    const children = Array.from({ length: PROCESSES }, () => startClaimer(url, masterKey, task.id))
    const reports = await runTogether(children)
    const claimed = reports.flatMap((report) => report.claimed)
    expect(claimed).toHaveLength(CHUNKS)
    expect(new Set(claimed).size).toBe(CHUNKS)
    const ids = reports.flatMap((report) => report.ids)
    expect(new Set(ids).size).toBe(PROCESSES * 100)
    const last = await store.chunks.ofTask(task.id, { limit: CHUNKS })
    expect(last.filter((chunk) => chunk.state === 'done' && chunk.fence === 1)).toHaveLength(CHUNKS)
  }, 180_000)
}

const startClaimer = (url: string, masterKey: Buffer, taskId: string): ChildProcess =>
  spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      '--conditions=@fanfare/source',
      CLAIMER,
      url,
      masterKey.toString('base64'),
      taskId,
      `${CHUNKS}`,
    ],
    { cwd: REPO_ROOT, stdio: ['pipe', 'pipe', 'inherit'] },
  )

/** All wait for each other before they begin, so that they race. */
async function runTogether(children: readonly ChildProcess[]): Promise<Report[]> {
  try {
    const exits = children.map((child) => once(child, 'exit'))
    const outs = children.flatMap((child) => child.stdout ?? [])
    await Promise.all(outs.map((out) => once(out, 'readable')))
    const outputs = outs.map((out) => text(out))
    for (const child of children) child.stdin?.end('go\n')
    await Promise.all(exits)
    const reports = await Promise.all(outputs)
    return reports.map((report) => JSON.parse(report.split('\n')[1] ?? '') as Report)
  } finally {
    for (const child of children) child.kill()
  }
}
