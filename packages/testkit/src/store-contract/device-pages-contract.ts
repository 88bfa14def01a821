import type { Binding, Store } from '@fanfare/core'
import { expect, it } from '@jest/globals'
import { seededRandom } from '../make.ts'
import type { GetSubject } from './subject.ts'

type Range = { channelId: string; upToId: string; limit: number }

async function walk(store: Store, range: Range, onPage?: (page: number) => Promise<void>): Promise<string[]> {
  const ids: string[] = []
  let after = '0'
  for (let page = 0; ; page++) {
    const found = await store.devices.page({ ...range, after })
    ids.push(...found.deviceIds)
    if (found.next === undefined) return ids
    after = found.next
    await onPage?.(page)
  }
}

export function devicePageCases(get: GetSubject): void {
  it('walks all live devices of a channel once, in order, up to a bound', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const other = await make.channel({ appId: channel.appId })
    const bindings: Binding[] = []
    for (let index = 0; index < 25; index++) bindings.push(await make.binding(index % 2 ? other : channel))
    await store.devices.bind(bindings)
    const mine = bindings.filter((binding) => binding.channelId === channel.id).map((binding) => binding.id)
    const upToId = await store.devices.maxId()
    expect(await walk(store, { channelId: channel.id, upToId, limit: 4 })).toEqual(mine)
    expect(await walk(store, { channelId: channel.id, upToId: mine[5] ?? '', limit: 4 })).toEqual(mine.slice(0, 6))
    expect(await walk(store, { channelId: channel.id, upToId, limit: 1000 })).toEqual(mine)
    expect(await walk(store, { channelId: '0', upToId, limit: 4 })).toEqual([])
    const page = await store.devices.page({ channelId: channel.id, after: '', upToId, limit: 1 })
    expect(page.deviceIds).toEqual([bindings[0]?.id])
  })

  it('walks on while devices are bound, bound again and removed', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const bindings: Binding[] = []
    for (let index = 0; index < 40; index++) bindings.push(await make.binding(channel))
    await store.devices.bind(bindings)
    const upToId = await store.devices.maxId()
    const removed = bindings[30]
    const dead = bindings[33]
    const ids = await walk(store, { channelId: channel.id, upToId, limit: 7 }, async (page) => {
      await make.bind(channel)
      if (page !== 1 || !removed || !dead) return
      await store.devices.unbind(removed.appId, removed.userId, removed.deviceId)
      await store.devices.markInvalid([dead])
      await store.devices.bind([{ ...(bindings[0] ?? removed), id: await make.id(), token: 'rotated' }])
    })
    const expected = bindings.filter((binding) => binding !== removed && binding !== dead).map((binding) => binding.id)
    expect(ids).toEqual(expected)
  })

  it('splits the devices of a channel into ranges of about equal size', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const other = await make.channel({ appId: channel.appId })
    const bindings: Binding[] = []
    for (let index = 0; index < 3000; index++) {
      bindings.push(await make.binding(index < 2000 && index % 4 ? other : channel))
    }
    await store.devices.bind(bindings)
    const upToId = await store.devices.maxId()
    const points = await store.devices.splitPoints(channel.id, upToId, 3)
    expect(points).toHaveLength(3)
    const sizes: number[] = []
    const all: string[] = []
    for (const [index, after] of points.entries()) {
      const page = { channelId: channel.id, after, upToId: points[index + 1] ?? upToId, limit: 10_000 }
      const { deviceIds } = await store.devices.page(page)
      sizes.push(deviceIds.length)
      all.push(...deviceIds)
    }
    expect(all).toEqual(bindings.filter((binding) => binding.channelId === channel.id).map((binding) => binding.id))
    expect(Math.max(...sizes)).toBeLessThan(1.5 * Math.min(...sizes))
    expect(await store.devices.splitPoints(channel.id, upToId, 1)).toEqual(['0'])
    expect(await store.devices.splitPoints('0', upToId, 4)).toEqual(['0'])
  })

  it('answers the intersection of labels as brute force does (seeded)', async () => {
    const { store, make } = get()
    const random = seededRandom(7)
    const channel = await make.channel()
    const other = await make.channel({ appId: channel.appId })
    const { appId } = channel
    const users = Array.from({ length: 60 }, (_, index) => `u${Math.floor(random() * 1000)}-${index}`)
    const bindings: Binding[] = []
    for (const userId of users) {
      for (let device = Math.floor(random() * 3); device > 0; device--) {
        bindings.push(await make.binding(random() < 0.8 ? channel : other, { userId, deviceId: `d${device}` }))
      }
    }
    await store.devices.bind(bindings)
    const upToId = await store.devices.maxId()
    const memberships = new Map<string, Set<string>>()
    for (const name of ['A', 'B', 'C']) {
      const label = { id: await make.id(), appId, name, description: '' }
      await store.labels.insert(label, 100)
      const chosen = users.filter(() => random() < 0.6)
      await store.labels.addUsers(label.id, [...chosen, `ghost-${name}`])
      memberships.set(name, new Set(chosen))
    }
    await make.bind(channel, { userId: users[0] ?? '', deviceId: 'late' })
    for (const labels of [['A'], ['A', 'B'], ['C', 'A', 'B'], ['B', 'B']]) {
      const inAll = (userId: string) => labels.every((name) => memberships.get(name)?.has(userId))
      const expected = bindings.filter((binding) => binding.channelId === channel.id && inAll(binding.userId))
      for (const limit of [1, 3, 1000]) {
        const found = await walkLabels(get().store, { appId, channelId: channel.id, labels, upToId, limit })
        expect(found).toHaveLength(expected.length)
        expect(new Set(found)).toEqual(new Set(expected.map((binding) => binding.id)))
      }
    }
    const ghost = { appId, channelId: channel.id, labels: ['A', 'missing'], upToId, limit: 10 }
    expect(await walkLabels(store, ghost)).toEqual([])
  })
}

async function walkLabels(
  store: Store,
  range: Range & { appId: string; labels: readonly string[] },
): Promise<string[]> {
  const ids: string[] = []
  let after = ''
  for (;;) {
    const page = await store.devices.labelPage({ ...range, after })
    expect(page.deviceIds.length).toBeLessThanOrEqual(range.limit)
    ids.push(...page.deviceIds)
    if (page.next === undefined) return ids
    after = page.next
  }
}
