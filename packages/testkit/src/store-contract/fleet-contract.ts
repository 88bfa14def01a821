import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { type Resealed, SealError, type Store } from '@fanfare/core'
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

  it('opens with every key of a list, seals with the first, and seals anew what another sealed', async () => {
    const { store, make, reopen, masterKey } = get()
    if (!reopen || !masterKey) throw new Error('a shared store can be opened again with its key')
    const { appId, id: changed } = await make.channel({}, 'changed later')
    const olds = await Promise.all([1, 2, 3].map((n) => make.channel({ appId }, `old ${n}`)))
    const ids = olds.map(({ id }) => id)
    const key = randomBytes(32)
    const rotating = await reopen([key, masterKey])
    const anew = await make.channel({ appId }, 'x')
    await rotating.channels.update(anew.id, { credential: 'new' })
    expect(await Promise.all(ids.map((id) => rotating.channels.credential(id)))).toEqual(['old 1', 'old 2', 'old 3'])
    await expect(store.channels.credential(anew.id)).rejects.toThrow(SealError)
    const before = await rotating.channels.byIds(ids)
    // Two at once, in steps of two: each is sealed anew once, and what is changed meanwhile stays as it was changed.
    const runs = [
      resealAll(rotating),
      resealAll(rotating),
      rotating.channels.update(changed, { credential: 'changed' }),
    ]
    const [first, second] = (await Promise.all(runs)) as { resealed: number; failed: string[] }[]
    expect((first?.resealed ?? 0) + (second?.resealed ?? 0)).toBeGreaterThanOrEqual(ids.length)
    expect(first?.failed.filter((id) => [...ids, changed, anew.id].includes(id))).toEqual([])
    expect(await resealAll(rotating)).toMatchObject({ resealed: 0 })
    expect(await rotating.channels.byIds(ids)).toEqual(before)
    await rotating.close()
    for (const only of [key, [key]]) {
      const after = await reopen(only)
      const all = [...ids, changed, anew.id]
      const opened = await Promise.all(all.map((id) => after.channels.credential(id)))
      expect(opened).toEqual(['old 1', 'old 2', 'old 3', 'changed', 'new'])
      await after.close()
    }
    const [one = ''] = ids
    await expect(store.channels.credential(one)).rejects.toThrow(SealError)
    expect((await resealAll(store)).failed).toEqual(expect.arrayContaining([one]))
    await Promise.all([...ids, changed, anew.id].map((id) => store.channels.remove(id)))
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

async function resealAll({ channels }: Store): Promise<{ resealed: number; failed: string[] }> {
  const all = { resealed: 0, failed: [] as string[] }
  for (let after: string | undefined = '0'; after !== undefined; ) {
    const step: Resealed = await channels.reseal({ after, limit: 2 })
    all.resealed += step.resealed
    all.failed.push(...step.failed)
    after = step.next
  }
  return all
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
