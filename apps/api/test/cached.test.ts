import { describe, expect, it } from '@jest/globals'
import { Cached } from '../src/cached.ts'

function cacheOf(maxEntries: number) {
  const loaded: string[] = []
  const load = async (key: string): Promise<string | undefined> => {
    loaded.push(key)
    return key.startsWith('app') ? `value of ${key}` : undefined
  }
  return { loaded, cache: new Cached<string>({ load, maxEntries, foundMs: 60_000, missingMs: 60_000 }) }
}

describe('the cache of apps and channels', () => {
  it('keeps what exists, however many names are made up', async () => {
    const { cache, loaded } = cacheOf(100)
    await cache.get('app-1')
    for (let n = 0; n < 1000; n++) await cache.get(`made-up-${n}`)
    expect(cache.get('app-1')).toBe('value of app-1')
    expect(loaded.filter((key) => key === 'app-1')).toHaveLength(1)
  })

  it('is bounded: the oldest is asked for again', async () => {
    const { cache, loaded } = cacheOf(100)
    for (let n = 0; n < 101; n++) await cache.get(`app-${n}`)
    await cache.get('app-100')
    await cache.get('app-0')
    expect(loaded).toHaveLength(102)
    for (let n = 0; n < 101; n++) await cache.get(`none-${n}`)
    await cache.get('none-0')
    expect(loaded).toHaveLength(204)
  })

  it('takes a name that was missing once it is there, and the other way round', async () => {
    let value: string | undefined
    const cache = new Cached<string>({ load: async () => value, maxEntries: 10, foundMs: 60_000, missingMs: 60_000 })
    expect(await cache.get('x')).toBeUndefined()
    value = 'there'
    expect(await cache.get('x')).toBeUndefined()
    cache.drop('x')
    expect(await cache.get('x')).toBe('there')
    value = undefined
    cache.drop('x')
    expect(await cache.get('x')).toBeUndefined()
  })
})
