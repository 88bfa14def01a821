import { expect, it } from '@jest/globals'
import { type GetSubject, ODD_TEXTS } from './subject.ts'

export function labelCases(get: GetSubject): void {
  async function label(appId: string, name: string, maxLabels = 100) {
    const { store, make } = get()
    return store.labels.insert({ id: await make.id(), appId, name, description: `about ${name}` }, maxLabels)
  }

  it('makes labels, case-sensitive, up to the limit of the app', async () => {
    const { store, make } = get()
    const { id: appId } = await make.app()
    expect(await label(appId, 'vip', 2)).toMatchObject({ appId, name: 'vip', description: 'about vip', count: 0 })
    expect(await label(appId, 'vip', 2)).toBe('exists')
    expect(await label(appId, 'VIP', 2)).toMatchObject({ name: 'VIP' })
    expect(await label(appId, 'third', 2)).toBe('full')
    expect(await label(appId, 'VIP', 2)).toBe('exists')
    expect(await label((await make.app()).id, 'vip', 1)).toMatchObject({ name: 'vip' })
    const found = await store.labels.byNames(appId, ['VIP', 'Vip', 'vip', '{"$gt":""}'])
    expect(found.map((one) => one?.name)).toEqual(['VIP', undefined, 'vip', undefined])
    expect(found[0]?.createdAt).toBeInstanceOf(Date)
  })

  it('makes a name once under a race', async () => {
    const { make } = get()
    const { id: appId } = await make.app()
    const made = await Promise.all(Array.from({ length: 8 }, () => label(appId, 'race')))
    expect(made.filter((one) => one === 'exists')).toHaveLength(7)
  })

  it('pages labels newest first', async () => {
    const { store, make } = get()
    const { id: appId } = await make.app()
    const names = ['a', 'b', 'c', 'd', 'e']
    for (const name of names) await label(appId, name)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await store.labels.page(appId, 2, cursor)
      seen.push(...page.labels.map((one) => one.name))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(seen).toEqual([...names].reverse())
    expect((await store.labels.page(appId, 5)).cursor).toBeUndefined()
  })

  it('refuses a cursor that it did not give', async () => {
    const { store, make } = get()
    const { id: appId } = await make.app()
    const made = await label(appId, 'paged')
    const { id } = typeof made === 'string' ? { id: '' } : made
    const cursorOf = (place: unknown) => Buffer.from(JSON.stringify(place)).toString('base64url')
    const foreign = [[{ $gt: '' }], [null], [[1]], [1, 2], [], {}, 'x', 1.5].map(cursorOf)
    const refused = { code: 'BAD_PARAMETER', details: { field: 'cursor', detail: 'was not given by this API' } }
    const answer = (ask: () => Promise<unknown>) => Promise.resolve().then(ask)
    for (const cursor of [...foreign, cursorOf(['ann']), '', 'x']) {
      await expect(answer(() => store.labels.page(appId, 2, cursor))).rejects.toMatchObject(refused)
    }
    for (const cursor of [...foreign, cursorOf([1]), '', 'x']) {
      await expect(answer(() => store.labels.members(id, 2, cursor))).rejects.toMatchObject(refused)
    }
  })

  it('counts members; adding and removing twice changes nothing', async () => {
    const { store, make } = get()
    const { id: appId } = await make.app()
    const made = await label(appId, 'team')
    const { id } = typeof made === 'string' ? { id: '' } : made
    await store.labels.addUsers(id, ['ann', 'bob'])
    await store.labels.addUsers(id, ['bob', 'cid', 'cid'])
    await store.labels.addUsers(id, [])
    expect(await store.labels.byNames(appId, ['team'])).toMatchObject([{ count: 3 }])
    expect(await store.labels.removeUsers(id, ['bob', 'eve', 'ann'])).toEqual([true, false, true])
    expect(await store.labels.removeUsers(id, ['bob'])).toEqual([false])
    expect(await store.labels.byNames(appId, ['team'])).toMatchObject([{ count: 1 }])
    expect(await store.labels.member(id, 'cid')).toMatchObject({ userId: 'cid', createdAt: expect.any(Date) })
    expect(await store.labels.member(id, 'bob')).toBeUndefined()
    expect(await store.devices.usersExist(['bob', 'eve'].map((userId) => ({ appId, userId })))).toEqual([true, false])
  })

  it('knows how many members it has after changes that race, repeat and undo each other', async () => {
    const { store, make, reopen } = get()
    const channel = await make.channel()
    const { appId } = channel
    const made = await label(appId, 'crowd')
    const { id } = typeof made === 'string' ? { id: '' } : made
    const count = async () => (await store.labels.byNames(appId, ['crowd']))[0]?.count
    const other = reopen ? await reopen() : store
    const users = Array.from({ length: 300 }, (_, index) => `user${index}`)
    const from = (begin: number) => users.slice(begin, begin + 100)
    // Overlapping by half, each part twice, from two processes.
    const parts = [0, 50, 100, 150, 200, 0, 50, 100, 150, 200]
    await Promise.all(parts.map((begin, index) => (index % 2 ? store : other).labels.addUsers(id, from(begin))))
    expect(await count()).toBe(300)
    const removed = await Promise.all([0, 100, 0].map((begin) => other.labels.removeUsers(id, from(begin))))
    expect(removed[1]).toEqual(from(100).map(() => true))
    expect(await count()).toBe(100)
    await Promise.all([store.labels.addUsers(id, from(0)), other.labels.removeUsers(id, from(200))])
    expect(await count()).toBe(100)
    await store.labels.addUsers(id, from(0))
    expect(await other.labels.removeUsers(id, from(200))).not.toContain(true)
    expect((await store.labels.page(appId, 10)).labels).toMatchObject([{ name: 'crowd', count: 100 }])
    if (other !== store) await other.close()
  })

  it('keeps a member who has no device any more', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const made = await label(channel.appId, 'bare')
    const { id } = typeof made === 'string' ? { id: '' } : made
    const { userId, deviceId } = await make.bind(channel)
    await store.labels.addUsers(id, [userId, 'other'])
    await store.devices.unbind(channel.appId, userId, deviceId)
    expect(await store.labels.byNames(channel.appId, ['bare'])).toMatchObject([{ count: 2 }])
    await store.labels.removeUsers(id, [userId])
    expect(await store.labels.byNames(channel.appId, ['bare'])).toMatchObject([{ count: 1 }])
  })

  it('pages members, each once', async () => {
    const { store, make } = get()
    const made = await label((await make.app()).id, 'many')
    const { id } = typeof made === 'string' ? { id: '' } : made
    const users = [...ODD_TEXTS.filter((text) => text !== '' && text !== '\ud800'), 'a', 'b', 'A']
    await store.labels.addUsers(id, users)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await store.labels.members(id, 4, cursor)
      expect(page.members.length).toBeLessThanOrEqual(4)
      seen.push(...page.members.map((member) => member.userId))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(seen.sort()).toEqual([...users].sort())
  })

  it('removes a label with its members; a new one of the name is empty', async () => {
    const { store, make } = get()
    const { id: appId } = await make.app()
    const made = await label(appId, 'gone')
    const { id } = typeof made === 'string' ? { id: '' } : made
    await store.labels.addUsers(id, ['ann'])
    expect(await store.labels.remove(appId, 'gone')).toBe(true)
    expect(await store.labels.remove(appId, 'gone')).toBe(false)
    expect(await store.labels.member(id, 'ann')).toBeUndefined()
    expect(await label(appId, 'gone')).toMatchObject({ count: 0 })
  })
}
