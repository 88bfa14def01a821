import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SealError } from '@fanfare/core'
import { openStore, type Sealed, Sealer } from '@fanfare/storage'
import { Make } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import Database from 'libsql'

const scope = { appId: '1', channelId: '2' }
const secret = '{"private_key":"ünï😀","n":1}'

describe('Sealer', () => {
  const key = randomBytes(32)
  const sealer = new Sealer(key)

  it('opens what it sealed; the same text is sealed differently each time and stands nowhere in it', () => {
    const [one, two] = [sealer.seal(secret, scope), sealer.seal(secret, scope)]
    expect(sealer.open(one, scope)).toBe(secret)
    expect(sealer.open(sealer.seal('', scope), scope)).toBe('')
    for (const field of ['wrappedDek', 'dekNonce', 'nonce', 'ct', 'tag'] as const)
      expect(one[field]).not.toBe(two[field])
    expect(JSON.stringify(one)).not.toContain('private_key')
  })

  it('does not open with any byte flipped, in any field', () => {
    const sealed = sealer.seal('short', scope)
    const fields = ['wrappedDek', 'dekNonce', 'dekTag', 'nonce', 'ct', 'tag'] as const
    for (const field of fields) {
      const bytes = Buffer.from(sealed[field], 'base64')
      for (let index = 0; index < bytes.length; index++) {
        const flipped = Buffer.from(bytes)
        flipped[index] = (flipped[index] ?? 0) ^ 1
        const changed = { ...sealed, [field]: flipped.toString('base64') }
        expect(() => sealer.open(changed, scope)).toThrow(SealError)
      }
    }
  })

  it('does not open what was shortened, lengthened or is no record at all', () => {
    const sealed = sealer.seal(secret, scope)
    const shortTag = Buffer.from(sealed.tag, 'base64').subarray(0, 4).toString('base64')
    const wrong = [
      { ...sealed, tag: shortTag },
      { ...sealed, ct: `${sealed.ct}*` },
      { ...sealed, ct: '' },
      { ...sealed, v: 2 },
      { ...sealed, kid: 'k2' },
      { v: 1, kid: 'k1' },
      {},
      null,
    ]
    for (const record of wrong) expect(() => sealer.open(record as Sealed, scope)).toThrow(SealError)
  })

  it('does not open in another app or channel', () => {
    const sealed = sealer.seal(secret, scope)
    expect(() => sealer.open(sealed, { ...scope, appId: '3' })).toThrow(SealError)
    expect(() => sealer.open(sealed, { ...scope, channelId: '3' })).toThrow(SealError)
    expect(() => sealer.open(sealed, { appId: '1|2', channelId: '' })).toThrow(SealError)
  })

  it('opens with an old key and seals with the current one', () => {
    const [old, current] = [randomBytes(32), randomBytes(32)]
    const before = new Sealer({ keys: { a: old }, current: 'a' })
    const after = new Sealer({ keys: { a: old, b: current }, current: 'b' })
    const sealed = before.seal(secret, scope)
    expect(after.open(sealed, scope)).toBe(secret)
    const anew = after.seal(secret, scope)
    expect(anew.kid).toBe('b')
    expect(() => before.open(anew, scope)).toThrow(SealError)
    expect(() => after.open({ ...sealed, kid: 'b' }, scope)).toThrow(SealError)
  })

  it('refuses keys of the wrong length and a current key that is missing', () => {
    expect(() => new Sealer(randomBytes(16))).toThrow(SealError)
    expect(() => new Sealer({ keys: { a: key }, current: 'b' })).toThrow(SealError)
  })
})

describe('sealed rows in the store', () => {
  let directory: string
  const file = () => join(directory, 'sealed.db')
  const masterKey = randomBytes(32)
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fanfare-seal-'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  it('do not open after they were swapped between apps or changed by hand', async () => {
    const store = await openStore(`sqlite:${file()}`, { masterKey })
    const make = new Make(store)
    const [a, b] = [await make.channel({}, 'secret of a'), await make.channel({}, 'secret of b')]
    const database = new Database(file())
    const sealedOf = (id: string) =>
      (database.prepare('select sealed from channels where id = ?').all(Number(id)) as { sealed: string }[])[0]?.sealed
    const put = (id: string, text: string | undefined) =>
      database.prepare('update channels set sealed = ? where id = ?').run(text ?? '', Number(id))
    const [ofA, ofB] = [sealedOf(a.id), sealedOf(b.id)]
    expect(ofA).not.toContain('secret')
    put(a.id, ofB)
    put(b.id, ofA)
    await expect(store.channels.credential(a.id)).rejects.toThrow(SealError)
    await expect(store.channels.credential(b.id)).rejects.toThrow(SealError)
    put(a.id, 'garbage')
    await expect(store.channels.credential(a.id)).rejects.toThrow(SealError)
    put(a.id, ofA)
    expect(await store.channels.credential(a.id)).toBe('secret of a')
    database.close()
    await store.close()
  })
})
