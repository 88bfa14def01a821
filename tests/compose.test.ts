import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type RedisService, startRedis } from '@fanfare/testkit'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { parse } from 'yaml'

/** Starting a server takes long where other programs keep the processors busy. */
jest.setTimeout(30_000)

/** There is no Docker on the test machines: what docker-compose.yml and the Dockerfile name must at least exist. */
const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

type Service = {
  command?: string[]
  environment?: Record<string, string>
  ports?: string[]
  build?: string
  image?: string
  volumes?: string[]
}
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>
  volumes: Record<string, unknown>
}
const ours = Object.entries(compose.services).filter(([, service]) => service.build !== undefined)

/** Where the API is published unless it is said. */
const LOOPBACK = `\${FANFARE_BIND:-127.0.0.1}:`

describe('docker-compose.yml', () => {
  it('has the store, Redis, the API and the workers', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['api', 'mongo', 'redis', 'worker'])
  })

  it.each(ours)('%s runs a program that exists', (_, service) => {
    const program = service.command?.at(-1) ?? ''
    expect(existsSync(join(ROOT, program.replace('/dist/', '/src/').replace(/\.js$/, '.ts')))).toBe(true)
  })

  it.each(ours)('%s sets only variables that its program reads', (name, service) => {
    const config = read(`apps/${name}/src/config.ts`) + read('packages/runtime/src/config.ts')
    for (const variable of Object.keys(service.environment ?? {})) expect(config).toContain(`'${variable}'`)
  })

  it('publishes the port the API listens on', () => {
    const api = compose.services['api']
    expect(api?.ports).toEqual([`${LOOPBACK}8099:${api?.environment?.['PORT']}`])
    expect(read('Dockerfile')).toContain('EXPOSE 8099')
  })

  it('declares every volume it mounts', () => {
    const named = Object.values(compose.services).flatMap((service) =>
      (service.volumes ?? []).map((v) => v.split(':')[0]),
    )
    expect(named.sort()).toEqual(Object.keys(compose.volumes).sort())
  })

  it('checks health at a route of the API', () => {
    expect(read('docs/http-api.md')).toContain('/health/ready')
  })
})

describe('docker-compose.yml in a network of others', () => {
  it('publishes nothing but the API, and that on loopback unless it is said', () => {
    for (const [name, { ports = [] }] of Object.entries(compose.services)) {
      expect(ports.every((port) => name === 'api' && port.startsWith(LOOPBACK))).toBe(true)
    }
  })

  it('starts with no password and no key of its own', () => {
    const asked = new Set([...read('docker-compose.yml').matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name))
    expect([...asked].sort()).toEqual([
      'FANFARE_MASTER_KEY',
      'FANFARE_OPERATOR_TOKEN',
      'MONGO_PASSWORD',
      'REDIS_PASSWORD',
    ])
    // What the head of the file says makes each of them.
    for (const name of asked) expect(read('docker-compose.yml').split('x-fanfare')[0]).toContain(String(name))
  })

  it('lets nobody into MongoDB without the password that the programs have', () => {
    const { command = [], environment } = compose.services['mongo'] ?? {}
    expect(command.at(-1)).toMatch(/mongod .*--keyFile/)
    const { MONGO_INITDB_ROOT_USERNAME: user, MONGO_INITDB_ROOT_PASSWORD: password } = environment ?? {}
    for (const [, service] of ours) {
      const url = String(service.environment?.['STORE_URL'])
      expect(url).toContain(`//${user}:${password}@mongo:27017/`)
      expect(url).toContain('authSource=admin')
    }
  })
})

describe('Redis as docker-compose.yml starts it', () => {
  let redis: RedisService | undefined
  afterEach(() => redis?.stop())

  it('wants the password of the programs, has a limit of memory and throws nothing away', async () => {
    const values: Record<string, string> = { REDIS_PASSWORD: 'p4ssword', REDIS_MAXMEMORY: '100mb' }
    const filled = (text: string) => text.replace(/\$\{(\w+)[^}]*\}/g, (_, name: string) => String(values[name]))
    const [program, ...args] = (compose.services['redis']?.command ?? []).map(filled)
    expect(program).toBe('redis-server')
    redis = await startRedis({ args })
    expect(await say(redis.port, 'GET x')).toContain('-NOAUTH')
    const settings = ['maxmemory', 'maxmemory-policy', 'appendonly', 'appendfsync']
    const asks = settings.map((name) => `CONFIG GET ${name}`)
    for (const [, service] of ours) {
      const { password } = new URL(filled(String(service.environment?.['REDIS_URL'])))
      const answer = await say(redis.port, `AUTH ${password}`, ...asks)
      expect(answer.split('\r\n').filter((_, index) => index > 0 && index % 5 === 0)).toEqual([
        '104857600',
        'noeviction',
        'yes',
        'everysec',
      ])
    }
  })
})

/** What a Redis answers to some commands, each a line of words. */
function say(port: number, ...commands: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write([...commands, 'QUIT', ''].join('\r\n')))
    let answer = ''
    socket.on('data', (data) => {
      answer += String(data)
    })
    socket.once('end', () => resolve(answer))
    socket.once('error', reject)
  })
}

describe('Dockerfile', () => {
  it('copies only what exists', () => {
    const sources = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) =>
      (match[1] ?? '').split(' '),
    )
    expect(sources.length).toBeGreaterThan(5)
    for (const source of sources) expect([source, existsSync(join(ROOT, source))]).toEqual([source, true])
  })
})
