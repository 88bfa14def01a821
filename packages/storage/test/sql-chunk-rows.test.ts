import { type Member, toCodes } from '@fanfare/core'
import { describe, expect, it } from '@jest/globals'
import { decodeMembers, encodeMembers, fromDigits, toDigits } from '../src/sqlite/chunks/rows.ts'

const again = (members: readonly Member[]): Member[] => decodeMembers(encodeMembers(members), members.length)
const devices = (...ids: number[]): Member[] => ids.map((id) => ({ deviceId: String(id) }))
const random = (below: number): number => Math.floor(Math.random() * below)

describe('the row of a chunk', () => {
  it('has devices that were bound one after another as one run', () => {
    const members = devices(...Array.from({ length: 1000 }, (_, index) => 5000 + index))
    expect(encodeMembers(members)).toBe('[[5000,[1,999]],0]')
    expect(again(members)).toEqual(members)
  })

  it('keeps any members', () => {
    const some: Member[][] = [
      [],
      [{}],
      devices(7),
      devices(9, 8, 7, 6, 5, 5, 5, 5, 5),
      [{ userId: 'u1' }, { userId: 'u2' }],
      [{ deviceId: '4', userId: 'u1' }, { userId: 'u2' }, ...devices(5, 6, 7, 8, 9), {}, ...devices(900)],
    ]
    for (let round = 0; round < 200; round++) {
      let id = random(1e9)
      const one = (): Member => {
        id += random(4) === 0 ? random(3) : 1
        const device = random(20) === 0 ? {} : { deviceId: String(id) }
        return random(30) === 0 ? { ...device, userId: `u${id}` } : device
      }
      some.push(Array.from({ length: random(50) }, one))
    }
    for (const members of some) expect(again(members)).toEqual(members)
  })

  it('reads members written number by number', () => {
    expect(decodeMembers('[[3,1,1,null,2],0]', 5)).toEqual([...devices(3, 4, 5), {}, { deviceId: '7' }])
  })

  it('packs outcomes that are all the same, and only those', () => {
    expect(toDigits(toCodes(Array(1000).fill('sent')))).toBe('2x1000')
    expect(toDigits(toCodes(['sent', 'sent', 'sent', 'invalid']))).toBe('2223')
    for (const digits of ['', '0x1', '0x2', '0123', '5x999']) expect(toDigits(fromDigits(digits))).toBe(digits)
    expect(toDigits(fromDigits('22'))).toBe('2x2')
  })
})
