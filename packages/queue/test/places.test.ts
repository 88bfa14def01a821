import { describe, expect, it } from '@jest/globals'
import { Places, type PlacesOptions } from '../src/places.ts'

const open = (over: Partial<PlacesOptions> = {}) =>
  new Places({ size: 16, waiters: 8, waitMs: 60_000, awayMs: 50, ...over })

/** Takes as many places as it gets at once; a waiter stays one. */
function fill(places: Places, app: string, channel = app): number {
  let held = 0
  while (places.enter({ app, channel }) === true) held++
  return held
}

describe('the places of a worker', () => {
  it('leave room for whoever comes next, however many came before', () => {
    const places = open({ size: 300, waiters: 0 })
    const held = Array.from({ length: 20 }, (_, index) => fill(places, `app${index}`))
    expect(Math.min(...held)).toBeGreaterThanOrEqual(1)
    expect(held[0]).toBeLessThanOrEqual(150)
    for (const later of held.slice(1)) expect(later).toBeLessThanOrEqual(75)
    expect(places.enter({ app: 'late', channel: 'late' })).toBe(true)
  })

  it('are shared by apps, not by channels', () => {
    const places = open({ size: 100, waiters: 0 })
    const many = Array.from({ length: 50 }, (_, index) => fill(places, 'many', `channel${index}`))
    expect(many.reduce((sum, held) => sum + held, 0)).toBeLessThanOrEqual(50)
    expect(fill(places, 'other')).toBeGreaterThanOrEqual(12)
  })

  it('leave to the other channels of an app some of its part', () => {
    const places = open({ size: 100, waiters: 0 })
    expect(fill(places, 'app', 'stalls')).toBeLessThan(45)
    expect(fill(places, 'app', 'works')).toBeGreaterThanOrEqual(1)
  })

  it('let one alone use a good part of them', () => {
    expect(fill(open({ size: 20, waiters: 0 }), 'app')).toBe(8)
    expect(fill(open({ size: 400, waiters: 0 }), 'app')).toBe(150)
    expect(fill(open({ size: 1, waiters: 0 }), 'app')).toBe(1)
  })
})

describe('who finds no place', () => {
  it('gets the next one before those who hold more', async () => {
    const places = open({ size: 4 })
    const [a, b] = [
      { app: 'a', channel: 'a' },
      { app: 'b', channel: 'b' },
    ]
    expect([places.enter(a), places.enter(a)]).toEqual([true, true])
    const order: string[] = []
    const wait = async (owner: typeof a) => {
      if (await places.enter(owner)) order.push(owner.app)
    }
    const waiting = [wait(a), wait(b), wait(b)]
    places.leave(a)
    places.leave(a)
    places.leave(b)
    await Promise.all(waiting)
    expect(order[0]).toBe('b')
    expect(order).toHaveLength(3)
  })

  it('is trusted at first, sent away after a while and from then on at once, for no longer than nothing has come free', async () => {
    const places = open({ size: 4, waitMs: 20, awayMs: 10 })
    const owner = { app: 'a', channel: 'a' }
    const since = performance.now()
    expect(fill(places, 'a')).toBe(2)
    expect(places.enter(owner)).not.toBe(false)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const answers = await Promise.all(Array.from({ length: 10 }, async () => places.enter(owner)))
    expect(answers.every((granted) => !granted)).toBe(true)
    const away = Array.from({ length: 20 }, () => places.away(owner))
    const fullMs = performance.now() - since
    expect(away[0]).toBe(10)
    for (const afterMs of away.slice(1)) {
      expect(afterMs).toBeGreaterThanOrEqual(90)
      expect(afterMs).toBeLessThanOrEqual(fullMs + 1)
    }
  })

  it('waits, beside however many, while places of its channel come free all the time', async () => {
    const places = open({ size: 4, waiters: 2, waitMs: 5 })
    const owner = { app: 'a', channel: 'a' }
    fill(places, 'a')
    const waiting: Promise<boolean>[] = []
    const enter = () => waiting.push(Promise.resolve(places.enter(owner)))
    enter()
    for (let count = 0; count < 64; count++) {
      enter()
      places.leave(owner)
    }
    for (let count = 0; count < 40; count++) enter()
    for (let left = 41; left > 0; left--) {
      places.leave(owner)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    const granted = await Promise.all(waiting)
    expect(granted.slice(-40)).toEqual(new Array(40).fill(true))
  })

  it('is sent away where all places to wait are taken, and where it all ends', async () => {
    const places = open({ size: 4, waiters: 1 })
    fill(places, 'a')
    const waiting = places.enter({ app: 'a', channel: 'a' })
    expect(places.enter({ app: 'a', channel: 'a' })).toBe(false)
    places.close()
    expect(await waiting).toBe(false)
  })
})
