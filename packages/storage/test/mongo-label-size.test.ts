import { type Store, StoreDownError } from '@fanfare/core'
import type { Make } from '@fanfare/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Connection } from 'mongoose'
import { connectMongo } from '../src/mongo/connect.ts'
import { labelStore } from '../src/mongo/labels.ts'
import type { LossyProxy } from './lossy-proxy.ts'
import { mongoFor, openLossy } from './open-mongo.ts'

jest.setTimeout(60_000)

/** As a change stands in a label that has not ended. */
type Mark = { at: Date; counts: boolean }
type Row = { _id: number; size: number; open?: Record<string, Mark> }
const USERS = ['ann', 'bob', 'cid']
const END = ['update', 'labels', '$unset', 'size']

const mongo = await mongoFor(true)
const run = mongo ? describe : describe.skip
run('the size of a label in MongoDB', () => {
  const url = mongo?.url ?? ''
  let store: Store
  let lossy: Store
  let proxy: LossyProxy
  let make: Make
  let raw: Connection
  let close: () => Promise<void>

  beforeAll(async () => {
    ;({ proxy, store, lossy, raw, make, close } = await openLossy(url))
  })
  afterAll(async () => {
    await close()
    await mongo?.stop()
  })
  afterEach(() => proxy.up())

  const rows = () => raw.collection<Row>('labels')

  async function label(users: readonly string[] = []) {
    const { id: appId } = await make.app()
    const id = await make.id()
    await store.labels.insert({ id, appId, name: 'team', description: '' }, 100)
    if (users.length > 0) await store.labels.addUsers(id, users)
    const _id = Number(id)
    const row = async () => await rows().findOne({ _id })
    return {
      id,
      row,
      names: [appId, ['team']] as const,
      count: async () => (await store.labels.byNames(appId, ['team']))[0]?.count,
      /** As if all that is open had begun so much earlier. */
      async age(byMs: number) {
        const open = Object.entries((await row())?.open ?? {})
        expect(open).not.toEqual([])
        const aged = open.map(([name, { at, counts }]) => [name, { at: new Date(at.getTime() - byMs), counts }])
        await rows().updateOne({ _id }, { $set: { open: Object.fromEntries(aged) } })
      },
    }
  }

  it('is looked up without counting members', async () => {
    const { id, names, row } = await label(USERS)
    await store.labels.removeUsers(id, ['bob', 'eve'])
    await store.labels.addUsers(id, ['ann'])
    expect(await row()).toMatchObject({ size: 2, open: {} })
    const watched = new URL(url)
    watched.searchParams.set('monitorCommands', 'true')
    const db = await connectMongo(watched.href, () => Promise.resolve())
    const commands: string[] = []
    db.connection.getClient().on('commandStarted', ({ command }) => commands.push(JSON.stringify(command)))
    const found = await labelStore(db).byNames(...names)
    const page = await labelStore(db).page(names[0], 10)
    await db.connection.close()
    expect(found).toMatchObject([{ count: 2 }])
    expect(page.labels).toMatchObject([{ count: 2 }])
    expect(commands.filter((command) => command.includes('"labels"'))).toHaveLength(2)
    expect(commands.filter((command) => command.includes('labelMembers'))).toEqual([])
  })

  it.each([
    ['added, before its end', END, ['dan', 'eve'], []],
    ['added, before it added', ['insert', 'labelMembers'], ['dan', 'eve'], []],
    ['removed, before its end', END, [], ['ann', 'dan']],
    ['removed, before it removed', ['delete', 'labelMembers'], [], ['ann', 'dan']],
  ])('is right at the look-up after a process died that %s, and counted no more a minute later', async (...died) => {
    const [, marks, added, removed] = died
    const { id, count, age, row } = await label(USERS)
    proxy.loseNext('request', marks, true)
    const change =
      added.length > 0 ? lossy.labels.addUsers(id, added) : lossy.labels.removeUsers(id, removed).then(() => undefined)
    await expect(change).rejects.toThrow(StoreDownError)
    const { members } = await store.labels.members(id, 100)
    expect(await count()).toBe(members.length)
    // Who was not answered asks again.
    if (added.length > 0) await store.labels.addUsers(id, added)
    else await store.labels.removeUsers(id, removed)
    const expected = USERS.length + added.length - Number(removed.length > 0)
    expect(await count()).toBe(expected)
    await age(61_000)
    expect(await count()).toBe(expected)
    expect(await row()).toMatchObject({ size: expected, open: {} })
  })

  it.each([
    ['mark', ['update', 'labels', 'counts', '$set']],
    ['members', ['insert', 'labelMembers']],
    ['end', END],
  ])('counts a change once where the reply to its %s was lost', async (_, marks) => {
    const { id, count, row } = await label(USERS)
    const before = proxy.lost
    proxy.loseNext('reply', marks)
    await lossy.labels.addUsers(id, ['cid', 'dan'])
    expect(proxy.lost).toBe(before + 1)
    expect(await row()).toMatchObject({ size: 4, open: {} })
    expect(await count()).toBe(4)
  })

  it('is right where a change goes on that was taken for over', async () => {
    const { id, count, age, row } = await label(USERS)
    const arrived = proxy.holdNext(['insert', 'labelMembers'])
    const adding = lossy.labels.addUsers(id, ['dan'])
    const release = await arrived
    await age(61_000)
    expect(await count()).toBe(3)
    expect(await row()).toMatchObject({ size: 3, open: {} })
    release()
    await adding
    expect(await row()).toMatchObject({ size: 4, open: {} })
  })

  it('is right where members are counted for another change while one goes on', async () => {
    const { id, count, row } = await label(USERS)
    const arrived = proxy.holdNext(END)
    const adding = lossy.labels.addUsers(id, ['dan'])
    const release = await arrived
    await rows().updateOne({ _id: Number(id) }, { $set: { 'open.dead': { at: new Date(0), counts: true } } })
    expect(await count()).toBe(4)
    release()
    await adding
    expect(await row()).toMatchObject({ size: 4, open: {} })
  })

  it('does not count a crowd while a change of it goes on, only once it takes long', async () => {
    const { id, count, age } = await label(USERS)
    await rows().updateOne({ _id: Number(id) }, { $set: { size: 20_000 } })
    const arrived = proxy.holdNext(END)
    const adding = lossy.labels.addUsers(id, ['dan'])
    const release = await arrived
    // The change may have begun a while ago on a busy machine.
    await age(-60_000)
    expect(await count()).toBe(20_000)
    await age(62_000)
    expect(await count()).toBe(4)
    release()
    await adding
  })
})
