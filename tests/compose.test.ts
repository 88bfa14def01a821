import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'

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

describe('docker-compose.yml', () => {
  it('has the store, Redis, the API and the workers', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['api', 'mongo', 'redis', 'worker'])
  })

  it.each(ours)('%s runs a program that exists', (_, service) => {
    const program = service.command?.at(-1) ?? ''
    expect(existsSync(join(ROOT, program.replace('/dist/', '/src/').replace(/\.js$/, '.ts')))).toBe(true)
  })

  it.each(ours)('%s sets only variables that its program reads', (name, service) => {
    const config = read(`apps/${name}/src/config.ts`)
    for (const variable of Object.keys(service.environment ?? {})) expect(config).toContain(`'${variable}'`)
  })

  it('publishes the port the API listens on', () => {
    const api = compose.services['api']
    expect(api?.ports).toEqual([`8099:${api?.environment?.['PORT']}`])
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

describe('Dockerfile', () => {
  it('copies only what exists', () => {
    const sources = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) =>
      (match[1] ?? '').split(' '),
    )
    expect(sources.length).toBeGreaterThan(5)
    for (const source of sources) expect([source, existsSync(join(ROOT, source))]).toEqual([source, true])
  })
})
