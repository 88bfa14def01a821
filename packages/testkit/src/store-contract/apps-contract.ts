import { createHash } from 'node:crypto'
import { APP_DISABLED } from '@fanfare/core'
import { expect, it } from '@jest/globals'
import { eventually, type GetSubject } from './subject.ts'

export function appCases(get: GetSubject): void {
  it('keeps apps by name and id; a taken name is refused', async () => {
    const { store, make } = get()
    const app = await make.app({ org: 'acme', name: 'shop', settings: { maxLabels: 5 } })
    expect(await store.apps.insert({ ...app, id: await make.id() })).toBe(false)
    expect(await store.apps.byName('acme', 'shop')).toMatchObject(app)
    expect(await store.apps.byName('acme', 'Shop')).toBeUndefined()
    const found = await store.apps.byIds(['0', app.id, 'x', app.id])
    expect(found.map((one) => one?.name)).toEqual([undefined, 'shop', undefined, 'shop'])
    expect(found[1]?.createdAt).toBeInstanceOf(Date)
    expect(await store.apps.byIds([])).toEqual([])
  })

  it('changes settings and secret of an app', async () => {
    const { store, make } = get()
    const { id } = await make.app({ settings: { maxLabels: 5 } })
    await store.apps.update(id, { settings: { maxRunningTasks: 7 } })
    await store.apps.update(id, { clientSecretHash: 'ff' })
    await store.apps.update(id, {})
    const [app] = await store.apps.byIds([id])
    expect(app).toMatchObject({ settings: { maxRunningTasks: 7 }, clientSecretHash: 'ff' })
    expect(app?.settings.maxLabels).toBeUndefined()
  })

  it('ends the tokens of an app: each time above all that was given, and above itself', async () => {
    const { store, make } = get()
    const { id } = await make.app()
    const from = async () => (await store.apps.byIds([id]))[0]?.tokensFrom
    expect(await from()).toBeUndefined()
    const before = Math.floor((await store.now()).getTime() / 1000)
    await store.apps.endTokens(id)
    const first = (await from()) ?? 0
    expect(first).toBeGreaterThan(before)
    expect(first).toBeLessThanOrEqual(Math.floor((await store.now()).getTime() / 1000) + 1)
    await Promise.all(Array.from({ length: 5 }, () => store.apps.endTokens(id)))
    expect(await from()).toBeGreaterThanOrEqual(first + 5)
    await store.apps.update(id, { settings: { maxLabels: 1 } })
    expect(await from()).toBeGreaterThanOrEqual(first + 5)
    await store.apps.endTokens('0')
  })

  it('keeps so many revoked tokens of an app and no more, until all of its tokens end', async () => {
    const { store, make } = get()
    const [mine, other] = [(await make.app()).id, (await make.app()).id]
    const until = new Date(Date.now() + 3600_000)
    const revoke = (jti: string, appId = mine) => store.tokens.revoke(`${mine} ${jti}`, until, { appId, most: 2 })
    expect([await revoke('a'), await revoke('b'), await revoke('c'), await revoke('b')]).toEqual([
      true,
      true,
      false,
      true,
    ])
    expect(await revoke('d', other)).toBe(true)
    const kept = async () => {
      const found = await store.tokens.revokedSince(new Date(0))
      return found.filter(({ jti }) => jti.startsWith(`${mine} `)).map(({ jti, expiresAt }) => [jti.at(-1), expiresAt])
    }
    expect((await kept()).sort()).toEqual(['a', 'b', 'd'].map((jti) => [jti, until]))
    await store.apps.endTokens(mine)
    expect(await kept()).toEqual([['d', until]])
    expect(await revoke('c')).toBe(true)
  })

  it('shows the channels of a disabled app as paused, and as they were once it is enabled', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const paused = await make.channel({ appId: channel.appId, pause: { by: 'credentials', reason: 'x' } })
    const other = await make.channel()
    const reasons = async () => {
      const ids = [channel.id, paused.id, other.id, '0']
      const [byIds, ofApp] = [await store.channels.byIds(ids), await store.channels.ofApp(channel.appId)]
      expect(ofApp.map((one) => one.pause)).toEqual(byIds.slice(0, 2).map((one) => one?.pause))
      return byIds.map((one) => one?.pause)
    }
    await store.apps.update(channel.appId, { disabled: true })
    expect((await store.apps.byIds([channel.appId]))[0]?.disabled).toBe(true)
    expect(await reasons()).toEqual([APP_DISABLED, APP_DISABLED, undefined, undefined])
    expect((await store.channels.update(channel.id, { limits: channel.limits }))?.pause).toEqual(APP_DISABLED)
    await store.apps.update(channel.appId, { disabled: false })
    expect(await reasons()).toEqual([undefined, { by: 'credentials', reason: 'x' }, undefined, undefined])
    expect((await store.apps.byIds([channel.appId]))[0]?.disabled).toBeUndefined()
  })

  it('takes operators for plain text', async () => {
    const { store } = get()
    expect(await store.apps.byName('{"$gt":""}', '{"$ne":null}')).toBeUndefined()
    const operator = { $gt: '' } as unknown as string
    const answer = await store.apps.byName(operator, operator).catch(() => undefined)
    expect(answer).toBeUndefined()
  })

  it('keeps channels; the credential is sealed and not part of the record', async () => {
    const { store, make } = get()
    const channel = await make.channel({ platform: 'fcm', settings: { region: 'eu', tls: true } }, 'top secret ünï😀')
    const { id, appId } = channel
    expect(await store.channels.insert({ ...channel, id: await make.id() }, 'x')).toBe(false)
    const second = await make.channel({ appId })
    expect((await store.channels.ofApp(appId)).map((one) => one.id).sort()).toEqual([id, second.id].sort())
    const [found] = await store.channels.byIds([id])
    expect(found).toMatchObject(channel)
    expect(JSON.stringify(found)).not.toContain('secret')
    expect(await store.channels.credential(id)).toBe('top secret ünï😀')
    expect(await store.channels.credential('0')).toBeUndefined()
    expect(await store.channels.byIds(['', id])).toEqual([undefined, found])
  })

  it('makes no more channels of an app than it may have', async () => {
    const { store, make } = get()
    const first = await make.channel()
    const another = async () => ({ ...first, id: await make.id(), name: `channel ${await make.id()}` })
    expect(await store.channels.insert(await another(), 'secret', 2)).toBe(true)
    expect(await store.channels.insert(await another(), 'secret', 2)).toBe('full')
    expect(await store.channels.ofApp(first.appId)).toHaveLength(2)
    expect(await store.channels.insert(await another(), 'secret')).toBe(true)
  })

  it('changes a channel part by part, pauses and resumes it', async () => {
    const { store, make } = get()
    const { id } = await make.channel({}, 'old')
    const limits = { rate: 9, unit: 'token', perMs: 60_000 } as const
    expect(await store.channels.update(id, { limits, pause: { by: 'credentials', reason: 'refused' } })).toMatchObject({
      limits,
      pause: { by: 'credentials', reason: 'refused' },
    })
    const changed = await store.channels.update(id, { credential: 'new', settings: { host: 'h' }, pause: null })
    expect(changed).toMatchObject({ limits, settings: { host: 'h' } })
    expect(changed?.pause).toBeUndefined()
    expect(await store.channels.credential(id)).toBe('new')
    expect(await store.channels.update('0', { pause: { by: 'app', reason: 'x' } })).toBeUndefined()
  })

  it('says whose limit a channel counts against, and finds all of a counting id in their order', async () => {
    const { store, make } = get()
    const id = `288${await make.id()} Ünï`
    const account = { id, proof: 'k1.one', key: 'xiaomi:own' }
    const first = await make.channel({ account })
    const second = await make.channel()
    await make.channel({ platform: 'fcm', account })
    expect((await store.channels.byIds([first.id]))[0]?.account).toEqual(account)
    const [before] = await store.channels.byIds([second.id])
    expect(before?.account).toBeUndefined()
    await store.channels.assign(second.id, { ...account, key: 'xiaomi:other' })
    const [assigned] = await store.channels.byIds([second.id])
    expect(assigned).toEqual({ ...before, account: { ...account, key: 'xiaomi:other' } })
    const found = await store.channels.ofAccount('xiaomi', id)
    expect(found.map((channel) => channel.id)).toEqual([first.id, second.id])
    expect(await store.channels.ofAccount('huawei', id)).toEqual([])
    expect(await store.channels.ofAccount('xiaomi', { $gt: '' } as unknown as string).catch(() => [])).toEqual([])
    const changed = await store.channels.update(first.id, { account: { ...account, proof: 'k1.two' } })
    expect(changed?.account).toEqual({ ...account, proof: 'k1.two' })
    expect(await store.channels.credential(first.id)).toBe('secret')
  })

  it('tells equal secrets by a keyed hash that does not hold them', () => {
    const { store } = get()
    const proof = store.channels.proofOf('secret ünï😀')
    expect(store.channels.proofOf('secret ünï😀')).toBe(proof)
    expect(store.channels.proofOf('secret ünï😁')).not.toBe(proof)
    expect(proof).toMatch(/^[\w-]+\.[\w-]{43}$/)
    const unkeyed = createHash('sha256').update('secret ünï😀').digest('base64url')
    expect(proof).not.toContain(unkeyed)
  })

  it('keeps which parts of accounts were joined', async () => {
    const { store, make } = get()
    const [one, two, three] = await Promise.all([make.id(), make.id(), make.id()].map(async (id) => `part:${await id}`))
    const parts = [one, two, three] as string[]
    await store.accounts.join(parts.slice(0, 2), 'a')
    expect(await store.accounts.joined(parts)).toEqual(['a', 'a', undefined])
    await store.accounts.join(parts.slice(1), 'b')
    expect(await store.accounts.joined([...parts].reverse())).toEqual(['b', 'b', 'a'])
    await store.accounts.separate(parts.slice(0, 2))
    expect(await store.accounts.joined(parts)).toEqual([undefined, undefined, 'b'])
    await store.accounts.separate([])
    await store.accounts.join([], 'c')
    expect(await store.accounts.joined([])).toEqual([])
  })

  it('removes a channel with its devices and no others', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const other = await make.channel({ appId: channel.appId })
    const gone = await make.bind(channel)
    const kept = await make.bind(other, { userId: gone.userId })
    expect(await store.channels.remove(channel.id)).toBe(true)
    expect(await store.channels.remove(channel.id)).toBe(false)
    const [devices] = await store.devices.ofUsers([gone])
    expect(devices?.map((device) => device.id)).toEqual([kept.id])
    expect(await store.devices.byIds([gone.id])).toEqual([undefined])
    expect(await store.channels.byIds([channel.id])).toEqual([undefined])
  })

  it('keeps revoked tokens until they expire', async () => {
    const { store } = get()
    const since = await store.now()
    const jti = `jti-${Math.random()}`
    await store.tokens.revoke(jti, new Date(since.getTime() - 1000))
    await store.tokens.revoke(jti, new Date(since.getTime() - 1000))
    const revoked = (await store.tokens.revokedSince(since)).filter((token) => token.jti === jti)
    expect(revoked).toHaveLength(1)
    expect(revoked[0]?.at.getTime()).toBeGreaterThanOrEqual(since.getTime())
    expect(await store.tokens.revokedSince(new Date(Date.now() + 60_000))).toEqual([])
    await eventually(
      async () => {
        await store.purge(100)
        return store.tokens.revokedSince(since)
      },
      (tokens) => tokens.every((token) => token.jti !== jti),
    )
    expect((await store.tokens.revokedSince(since)).map((token) => token.jti)).not.toContain(jti)
  })
}
