import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { Accounts, type Limiter, type Store } from '@fanfare/core'
import { type MasterKey, openStore } from '@fanfare/storage'
import { Make, tempDir } from '@fanfare/testkit'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'

const OLD = randomBytes(32)
let dir: string
const opened: Store[] = []
beforeEach(async () => {
  dir = await tempDir('accounts')
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  await rm(dir, { recursive: true, force: true })
})

async function open(masterKey: MasterKey): Promise<Store> {
  const store = await openStore(`sqlite:${dir}/store.db`, { masterKey, sync: 'normal' })
  opened.push(store)
  return store
}

/** Of Xiaomi, as packages/platforms reads it: the name, and the secret as it is. */
function accountsOf(store: Store, carried: string[][] = [], away: () => boolean = () => false): Accounts {
  const carry: Limiter['carry'] = async (from, to) => {
    if (away()) throw new Error('Redis is away')
    carried.push([from, to])
  }
  return new Accounts({ store, limiter: { carry }, identify: ({ name }, secret) => ({ id: name, secret }) })
}

describe('accounts', () => {
  it('are found one also where their credentials were proven with different master keys', async () => {
    const before = await open(OLD)
    const first = await new Make(before).channel({ name: '2882' }, 'shared')
    await accountsOf(before).prove((await before.channels.ofApp(first.appId))[0] as never, 'shared')
    const after = await open([randomBytes(32), OLD])
    const second = await new Make(after).channel({ name: '2882' }, 'shared')
    const third = await new Make(after).channel({ name: '2882' }, 'another')
    for (const { appId } of [second, third]) {
      const [channel] = await after.channels.ofApp(appId)
      if (channel) await accountsOf(after).prove(channel, (await after.channels.credential(channel.id)) ?? '')
    }
    const found = await after.channels.byIds([first.id, second.id, third.id])
    const [one, two, other] = found.map((channel) => channel?.account)
    expect(two).toEqual(one)
    expect(other?.key).not.toBe(one?.key)
    expect(other?.proof).not.toBe(one?.proof)
  })

  it('that could not be made one while Redis was away are when a channel is opened again', async () => {
    const store = await open(OLD)
    let away = true
    const carried: string[][] = []
    const accounts = accountsOf(store, carried, () => away)
    const make = new Make(store)
    const channels = [await make.channel({ name: '2882' }, 'shared'), await make.channel({ name: '2882' }, 'shared')]
    const read = async () => (await store.channels.byIds(channels.map(({ id }) => id))).flatMap((one) => one ?? [])
    const [one, other] = await read()
    if (!one || !other) throw new Error('no channels')
    await accounts.prove(one, 'shared')
    await expect(accounts.prove(other, 'shared')).rejects.toThrow('Redis is away')
    expect(new Set((await read()).map(({ account }) => account?.key)).size).toBe(2)
    away = false
    await accounts.prove((await read())[0] as never, 'shared')
    const keys = (await read()).map(({ account }) => account?.key)
    expect(new Set(keys).size).toBe(1)
    expect(carried).toEqual([[expect.not.stringMatching(String(keys[0])), keys[0]]])
    // The oldest app's account stands for all.
    expect(keys[0]).toBe((await read())[0]?.account?.key)
  })
})
