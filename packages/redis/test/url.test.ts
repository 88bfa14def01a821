import { describe, expect, it } from '@jest/globals'
import { readRedisUrl } from '../src/index.ts'
import { placeOf } from '../src/url.ts'

describe('REDIS_URL', () => {
  it.each([
    ['redis://localhost', { form: 'single', addresses: [{ host: 'localhost', port: 6379 }], db: 0 }],
    ['redis://', { form: 'single', addresses: [{ host: '127.0.0.1', port: 6379 }], db: 0 }],
    [
      'redis://:p%40ss@127.0.0.1:7000/2',
      { form: 'single', addresses: [{ host: '127.0.0.1', port: 7000 }], db: 2, password: 'p@ss' },
    ],
    [
      'rediss://me:secret@[::1]:6390?ca=/etc/ca.pem&servername=redis.example',
      {
        form: 'single',
        addresses: [{ host: '::1', port: 6390 }],
        db: 0,
        username: 'me',
        password: 'secret',
        tls: { ca: '/etc/ca.pem', servername: 'redis.example' },
      },
    ],
    [
      'redis+sentinel://me:secret@a:26379,b/main?db=3&sentinelUser=s&sentinelPassword=t&tls=true',
      {
        form: 'sentinel',
        addresses: [
          { host: 'a', port: 26_379 },
          { host: 'b', port: 26_379 },
        ],
        db: 3,
        username: 'me',
        password: 'secret',
        master: 'main',
        sentinel: { username: 's', password: 't' },
        tls: {},
      },
    ],
    [
      'redis+cluster://:secret@a:7000,b:7001?tls=true&ca=ca.pem&cert=c.pem&key=k.pem',
      {
        form: 'cluster',
        addresses: [
          { host: 'a', port: 7000 },
          { host: 'b', port: 7001 },
        ],
        db: 0,
        password: 'secret',
        tls: { ca: 'ca.pem', cert: 'c.pem', key: 'k.pem' },
      },
    ],
  ])('%s', (url, place) => {
    expect(placeOf(url)).toEqual(place)
    expect(readRedisUrl(url)).toBe(url)
  })

  it.each([
    ['localhost:6379', 'must begin with redis://'],
    ['http://localhost', 'must begin with redis://'],
    ['redis://a:1,b:2', 'names several hosts'],
    ['redis://a:70000', 'names a host that is not host:port: a:70000'],
    ['redis://a:x', 'names a host that is not host:port: a:x'],
    ['redis://a/x', 'names a database that is no number: x'],
    ['redis://:%zz@a', 'has a % that is not followed by two hex digits'],
    ['redis://a?timeout=1', 'gives timeout, which is none of tls, db'],
    ['redis://a?ca=ca.pem', 'gives ca without TLS'],
    ['redis://a?tls=no', 'gives tls=no'],
    ['redis://a?sentinelUser=x', 'gives sentinelUser or sentinelPassword without redis+sentinel'],
    ['redis+sentinel://a,b', 'names no master'],
    ['redis+cluster://a,b/1', 'names a database: a cluster has only 0'],
  ])('%s is refused with a sentence that names the setting and no password', (url, sentence) => {
    const withPassword = url.replace('://', '://:hunter2@')
    for (const given of [url, url.includes('@') ? url : withPassword]) {
      expect(() => readRedisUrl(given)).toThrow(sentence)
      expect(() => readRedisUrl(given)).not.toThrow('hunter2')
    }
  })
})
