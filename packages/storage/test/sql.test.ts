import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreDownError } from '@fanfare/core'
import { openStore, type StoreOptions } from '@fanfare/storage'
import { Make, members } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import Database from 'libsql'

const masterKey = randomBytes(32)

describe('SQLite', () => {
  let directory: string
  let files = 0
  const newFile = () => join(directory, `${files++}`, 'fanfare.db')
  const open = (file: string, options: Partial<StoreOptions> = {}) =>
    openStore(`sqlite:${file}`, { masterKey, ...options })
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fanfare-sqlite-'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  it('makes the file and its directory, once, however many open it at the same time', async () => {
    const file = newFile()
    const stores = await Promise.all(Array.from({ length: 5 }, () => open(file)))
    const first = await Promise.all(stores.map((store) => store.takeIds(10)))
    expect(new Set(first).size).toBe(5)
    for (const store of stores) await store.close()
    const again = await open(file)
    expect(await again.takeIds(1)).toBe(51)
    await again.close()
  })

  it('refuses a file of a newer program', async () => {
    const file = newFile()
    await (await open(file)).close()
    const database = new Database(file)
    database.exec('pragma user_version = 99')
    database.close()
    await expect(open(file)).rejects.toThrow('schema version 99')
  })

  it('waits for another writer without blocking the event loop', async () => {
    const file = newFile()
    const store = await open(file)
    const other = new Database(file)
    other.exec('begin immediate')
    let turns = 0
    const timer = setInterval(() => turns++, 5)
    const pending = store.takeIds(1)
    await new Promise((resolve) => setTimeout(resolve, 300))
    other.exec('commit')
    expect(await pending).toBe(1)
    clearInterval(timer)
    expect(turns).toBeGreaterThan(5)
    other.close()
    await store.close()
  })

  it('reads while another process writes', async () => {
    const file = newFile()
    const store = await open(file)
    const other = new Database(file)
    other.exec('begin immediate')
    expect(await store.apps.byName('a', 'b')).toBeUndefined()
    other.exec('rollback')
    other.close()
    await store.close()
  })

  it('says StoreDownError where there is no database, and after it was closed', async () => {
    const file = join(directory, 'text.db')
    await writeFile(file, 'this is no database, only a text of some length'.repeat(100))
    await expect(open(file)).rejects.toThrow(StoreDownError)
    await expect(open(directory)).rejects.toThrow(StoreDownError)
    const store = await open(newFile())
    await store.close()
    await expect(store.takeIds(1)).rejects.toThrow(StoreDownError)
    await store.close()
  })

  it('knows only its own schemes', async () => {
    await expect(openStore('mysql://host/db', { masterKey })).rejects.toThrow('mysql:')
    await expect(openStore('nonsense', { masterKey })).rejects.toThrow('STORE_URL')
  })

  it('writes nothing of a list when the file cannot take it', async () => {
    const file = newFile()
    const store = await open(file)
    const make = new Make(store)
    const channel = await make.channel()
    const limited = new Database(file)
    limited.exec(`create trigger full before insert on chunks when new.seq = 7 begin select raise(abort, 'full'); end`)
    limited.close()
    const task = await make.task({ appId: channel.appId })
    const chunks = [0, 7].map((seq) => ({ seq, channelId: channel.id, members: members(1) }))
    await expect(store.tasks.create([{ task, chunks }])).rejects.toThrow('full')
    expect(await store.tasks.byIds([task.id])).toEqual([undefined])
    expect(await store.chunks.ofTask(task.id, { limit: 10 })).toEqual([])
    expect(await store.takeIds(1)).toBeGreaterThan(0)
    await store.close()
  })

  it('lets a call that fails harm no other of the same transaction', async () => {
    const file = newFile()
    const store = await open(file)
    const make = new Make(store)
    const channel = await make.channel()
    const broken = new Database(file)
    broken.exec(
      `create trigger broken before insert on chunks when new.seq = 7 begin select raise(abort, 'broken'); end`,
    )
    broken.close()
    const items = await Promise.all(
      [0, 7, 1].map(async (seq) => {
        const task = await make.task({ appId: channel.appId })
        return { task, chunks: [{ seq, channelId: channel.id, members: members(1) }] }
      }),
    )
    const results = await Promise.allSettled(items.map((item) => store.tasks.create([item])))
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    const found = await store.tasks.byIds(items.map((item) => item.task.id))
    expect(found.map((task) => task !== undefined)).toEqual([true, false, true])
    await store.close()
  })

  it('has what was written when the call resolves, also for a store opened beside it', async () => {
    const file = newFile()
    const [store, other] = [await open(file), await open(file)]
    const make = new Make(store)
    const apps = await Promise.all(Array.from({ length: 120 }, () => make.app()))
    const found = await other.apps.byIds(apps.map((app) => app.id))
    expect(found.map((app) => app?.name)).toEqual(apps.map((app) => app.name))
    await store.close()
    await other.close()
  })

  it('keeps no row of a device whose token went to another', async () => {
    const store = await open(newFile())
    const make = new Make(store)
    const channel = await make.channel()
    const robbed = await make.bind(channel, { token: 'shared' })
    await make.bind(channel, { token: 'shared' })
    expect(await store.devices.byIds([robbed.id])).toEqual([undefined])
    await store.close()
  })

  it('keeps a chunk of a thousand members in a few kilobytes', async () => {
    const file = newFile()
    const store = await open(file, { sync: 'normal' })
    const make = new Make(store)
    const channel = await make.channel()
    const task = await make.task({ appId: channel.appId })
    const chunks = Array.from({ length: 100 }, (_, seq) => {
      const ids = members(1000, 1_000_000 + seq * 1000)
      return { seq, channelId: channel.id, members: ids.map(({ deviceId = '' }) => ({ deviceId })) }
    })
    await store.tasks.create([{ task, chunks }])
    const [chunk] = await store.chunks.byRefs([{ taskId: task.id, seq: 99 }])
    expect(chunk?.members.at(-1)).toEqual({ deviceId: '1099999' })
    await store.close()
    expect((await stat(file)).size).toBeLessThan(100 * 8192)
  })

  it('survives texts that SQLite would make invalid UTF-8 of', async () => {
    const store = await open(newFile())
    const make = new Make(store)
    const channel = await make.channel()
    const userId = '\ud800x\\\ud800\udfff\\\\\ud83d'
    const binding = await make.bind(channel, { userId })
    const [found] = await store.devices.ofUsers([binding])
    expect(found?.[0]?.userId).toBe('\ufffdx\\\ud800\udfff\\\\\ufffd')
    await store.close()
  })
})
