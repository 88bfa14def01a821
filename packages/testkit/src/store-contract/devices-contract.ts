import type { Binding, Device, Store } from '@fanfare/core'
import { expect, it } from '@jest/globals'
import { eventually, type GetSubject, ODD_TEXTS } from './subject.ts'

const tokensOf = (devices: readonly Device[] | undefined) => devices?.map((device) => device.token).sort()

/** The bound that a store has unless it is told another. */
const MOST = 50

async function later(store: Store): Promise<void> {
  const before = await store.now()
  await eventually(
    () => store.now(),
    (now) => now.getTime() > before.getTime() + 1,
  )
}

export function deviceCases(get: GetSubject): void {
  it('answers live devices of users in the order asked', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const a = await make.bind(channel, { userId: 'a' })
    const a2 = await make.bind(channel, { userId: 'a', deviceId: 'tablet' })
    const b = await make.bind(channel, { userId: 'b' })
    const asked = ['b', 'nobody', 'a', 'b'].map((userId) => ({ appId: channel.appId, userId }))
    const found = await store.devices.ofUsers(asked)
    expect(found.map(tokensOf)).toEqual([[b.token], [], [a.token, a2.token].sort(), [b.token]])
    expect(found[0]?.[0]).toMatchObject({ ...b, live: true })
    expect(await store.devices.ofUsers([{ appId: '0', userId: 'a' }])).toEqual([[]])
    const byIds = await store.devices.byIds([b.id, '0', a.id])
    expect(byIds.map((device) => device?.userId)).toEqual(['b', undefined, 'a'])
    expect(await store.devices.tokens([b.id, '0', '', a.id, b.id])).toEqual([
      b.token,
      undefined,
      undefined,
      a.token,
      b.token,
    ])
    await store.devices.markInvalid([{ id: a.id, token: a.token }])
    expect(await store.devices.tokens([a.id])).toEqual([null])
    expect(await store.devices.tokens([])).toEqual([])
  })

  it('keeps one row per user, device and channel; its id stays when it is bound again', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const first = await make.bind(channel)
    await make.bind(channel, { ...first, id: await make.id(), token: 'new-token' })
    expect(await store.devices.byIds([first.id])).toMatchObject([{ token: 'new-token', live: true }])
    expect(await store.devices.count(channel.id)).toBe(1)
  })

  it('gives a token to the user who bound it last, on the same channel only', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const other = await make.channel({ appId: channel.appId })
    const old = await make.bind(channel, { token: 'shared' })
    const elsewhere = await make.bind(other, { token: 'shared' })
    const now = await make.bind(channel, { token: 'shared' })
    const found = await store.devices.ofUsers([old, elsewhere, now])
    expect(found.map((devices) => devices.length)).toEqual([0, 1, 1])
    expect(await store.devices.usersExist([old])).toEqual([true])
  })

  it('settles repetitions inside one list: the last wins', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const stale = await make.bind(channel, { userId: 'robbed', token: 'before' })
    const list = [
      await make.binding(channel, { userId: 'robbed', token: 't' }),
      await make.binding(channel, { userId: 'x', token: 't1' }),
      await make.binding(channel, { userId: 'x', token: 't2' }),
      await make.binding(channel, { userId: 'y', token: 't' }),
      await make.binding(channel, { userId: 'z', token: 't' }),
    ]
    await store.devices.bind(list)
    const found = await store.devices.ofUsers(['robbed', 'x', 'y', 'z'].map((userId) => ({ ...stale, userId })))
    expect(found.map(tokensOf)).toEqual([[], ['t2'], [], ['t']])
    expect(await store.devices.count(channel.id)).toBe(2)
  })

  it('swaps the tokens of two devices in one list', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const a = await make.bind(channel)
    const b = await make.bind(channel)
    await store.devices.bind([
      { ...a, token: b.token },
      { ...b, token: a.token },
    ])
    const found = await store.devices.ofUsers([a, b])
    expect(found.map(tokensOf)).toEqual([[b.token], [a.token]])
  })

  it('binds an empty list and a list of thousands', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    await store.devices.bind([])
    const list: Binding[] = []
    for (let index = 0; index < 3000; index++) list.push(await make.binding(channel))
    await store.devices.bind(list)
    expect(await store.devices.count(channel.id)).toBe(3000)
    expect(await store.devices.usersExist([list[2999] ?? list[0] ?? { appId: '', userId: '' }])).toEqual([true])
  })

  it('unbinds one channel or all; the user goes on to exist', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const other = await make.channel({ appId: channel.appId })
    const { appId, userId, deviceId } = await make.bind(channel)
    await make.bind(other, { userId, deviceId })
    await make.bind(other, { userId, deviceId: 'tablet' })
    await store.devices.unbind(appId, userId, deviceId, channel.id)
    expect((await store.devices.ofUsers([{ appId, userId }]))[0]).toHaveLength(2)
    await store.devices.unbind(appId, userId, deviceId)
    expect((await store.devices.ofUsers([{ appId, userId }]))[0]?.map((one) => one.deviceId)).toEqual(['tablet'])
    await store.devices.unbind(appId, userId, 'tablet')
    expect(
      await store.devices.usersExist([
        { appId, userId },
        { appId, userId: 'never' },
        { appId: '0', userId },
      ]),
    ).toEqual([true, false, false])
  })

  it('marks a device dead only with the same token and if it was not bound again since', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const [a, b, c] = [await make.bind(channel), await make.bind(channel), await make.bind(channel)]
    const earlier = new Date(Date.now() - 3600_000)
    const marked = await store.devices.markInvalid([
      { id: a.id, token: a.token },
      { id: b.id, token: 'another' },
      { id: c.id, token: c.token, since: earlier },
    ])
    expect(marked).toBe(1)
    expect((await store.devices.byIds([a.id, b.id, c.id])).map((device) => device?.live)).toEqual([false, true, true])
    expect(await store.devices.ofUsers([a])).toEqual([[]])
    expect(await store.devices.markInvalid([{ id: a.id, token: a.token }])).toBe(0)
    expect(await store.devices.markInvalid([{ id: c.id, token: c.token, since: new Date(Date.now() + 60_000) }])).toBe(
      1,
    )
    expect(await store.devices.markInvalid([])).toBe(0)
    await store.devices.bind([{ ...a, id: await make.id() }])
    expect(await store.devices.byIds([a.id])).toMatchObject([{ live: true }])
  })

  it('lets another user have the token of a dead device', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const dead = await make.bind(channel)
    await store.devices.markInvalid([dead])
    const heir = await make.bind(channel, { token: dead.token })
    expect((await store.devices.ofUsers([dead, heir])).map(tokensOf)).toEqual([[], [dead.token]])
    await store.devices.bind([dead])
    expect((await store.devices.ofUsers([dead, heir])).map(tokensOf)).toEqual([[dead.token], []])
  })

  it('keeps the devices of a user that were bound last, fifty over all channels; the oldest goes', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const other = await make.channel({ appId: channel.appId })
    const user = { appId: channel.appId, userId: 'many' }
    const list: Binding[] = []
    for (let index = 0; index < MOST; index++) {
      list.push(await make.binding(index % 2 ? channel : other, { userId: 'many', deviceId: `d${index}` }))
    }
    await store.devices.bind(list)
    const [first, second, third] = list as [Binding, Binding, Binding]
    await later(store)
    await store.devices.bind([first])
    expect((await store.devices.ofUsers([user]))[0]).toHaveLength(MOST)
    await later(store)
    const newest = await make.bind(channel, { userId: 'many', deviceId: 'newest' })
    const stays = await make.bind(channel, { userId: 'few' })
    const found = await store.devices.byIds([first.id, second.id, third.id, newest.id, stays.id])
    expect(found.map((device) => device?.live)).toEqual([true, undefined, true, true, true])
    expect((await store.devices.ofUsers([user]))[0]).toHaveLength(MOST)
  })

  it('lets the dead devices of a user go first', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const list: Binding[] = []
    for (let index = 0; index < MOST; index++) {
      list.push(await make.binding(channel, { userId: 'many', deviceId: `d${index}` }))
    }
    await store.devices.bind(list)
    const [first, last] = [list[0] as Binding, list[MOST - 1] as Binding]
    await store.devices.markInvalid([last])
    await make.bind(channel, { userId: 'many', deviceId: 'newest' })
    expect((await store.devices.byIds([first.id, last.id])).map((device) => device?.live)).toEqual([true, undefined])
  })

  it('takes the last of a list that is too long for its user', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const list: Binding[] = []
    for (let index = 0; index < 2 * MOST; index++) {
      list.push(await make.binding(channel, { userId: 'many', deviceId: `d${index}` }))
    }
    await store.devices.bind(list)
    const [found] = await store.devices.ofUsers([{ appId: channel.appId, userId: 'many' }])
    expect(found?.map(({ id }) => id)).toEqual(list.slice(MOST).map(({ id }) => id))
    expect(await store.devices.count(channel.id)).toBe(MOST)
  })

  it('keeps any text as it is: operators, quotes, unicode', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const list: Binding[] = []
    for (const [index, text] of ODD_TEXTS.entries()) {
      list.push(await make.binding(channel, { userId: `u${text}`, deviceId: text, token: `${text}${index}` }))
    }
    await store.devices.bind(list)
    const found = await store.devices.ofUsers(list)
    expect(found.map((devices) => devices.length)).toEqual(list.map(() => 1))
    expect(await store.devices.usersExist([{ appId: channel.appId, userId: '{"$gt":""}' }])).toEqual([false])
    const well = list.filter((binding) => !binding.userId.includes('\ud800'))
    expect((await store.devices.ofUsers(well)).map((devices) => devices[0]?.deviceId)).toEqual(
      well.map((b) => b.deviceId),
    )
    await store.devices.unbind(channel.appId, 'u%', '%')
    expect(
      await eventually(
        () => store.devices.count(channel.id),
        (count) => count === list.length - 1,
      ),
    ).toBe(list.length - 1)
  })
}
