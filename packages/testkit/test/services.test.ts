import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, jest } from '@jest/globals'
import { ensureMongo, freePort, type RedisService, startMongo, startRedis, tempDir } from '../src/services.ts'

// The machine may be busy, and SecantusDB may have to be installed first.
jest.setTimeout(60_000)

const started: { stop(): Promise<void> }[] = []
afterAll(async () => {
  await Promise.all(started.map((service) => service.stop()))
})

async function redis(options = {}): Promise<RedisService> {
  const service = await startRedis(options)
  started.push(service)
  return service
}

/** One inline command, one reply. */
async function ask(port: number, command: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.write(`${command}\r\n`)
  const [reply] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return reply.toString().trim()
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('not within 5 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('startRedis', () => {
  it('answers as soon as it is started and is gone after stop', async () => {
    const service = await redis()
    expect(await ask(service.port, 'PING')).toBe('+PONG')
    await service.stop()
    expect(isAlive(service.pid)).toBe(false)
  })

  it('keeps its data over kill -9 and restart where it appends to a file', async () => {
    const dir = await tempDir('redis')
    const service = await redis({ dir, appendonly: true, args: ['--appendfsync', 'always'] })
    await ask(service.port, 'SET kept yes')
    await service.kill('SIGKILL')
    await service.restart()
    expect(await ask(service.port, 'GET kept')).toContain('yes')
    await service.stop()
    await rm(dir, { recursive: true })
  })

  it('loses everything over kill -9 without a file, and takes a memory limit', async () => {
    const service = await redis({ maxmemory: '8mb' })
    await ask(service.port, 'SET lost yes')
    await service.kill('SIGKILL')
    await service.restart()
    expect(await ask(service.port, 'GET lost')).toBe('$-1')
    expect(await ask(service.port, 'CONFIG GET maxmemory')).toContain('8388608')
  })

  it('is frozen by SIGSTOP and goes on after SIGCONT', async () => {
    const service = await redis()
    await service.kill('SIGSTOP')
    const answer = ask(service.port, 'PING')
    const early = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 100, 'silent'))])
    expect(early).toBe('silent')
    await service.kill('SIGCONT')
    expect(await answer).toBe('+PONG')
  })

  it('dies with the process that started it', async () => {
    const source = fileURLToPath(new URL('../src/services.ts', import.meta.url))
    const script = `const { startRedis } = await import(${JSON.stringify(source)})
      console.log((await startRedis()).pid); setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await until(() => !isAlive(pid))
  })
})

it('gives different free ports', async () => {
  const ports = await Promise.all([freePort(), freePort(), freePort()])
  expect(new Set(ports).size).toBe(3)
})

describe('startMongo', () => {
  it.each([false, true])('starts a server that says it is writable (standalone %s)', async (standalone) => {
    const source = await ensureMongo()
    const mongo = await startMongo({ standalone })
    if (!mongo) return expect(source).toBe('none')
    started.push(mongo)
    expect(mongo.url).toMatch(/^mongodb:\/\/.+\/fanfare_test_[0-9a-f]{8}/)
    if (source === 'uri') return
    await mongo.kill('SIGKILL')
    expect(isAlive(mongo.pid)).toBe(false)
    await mongo.restart()
    expect(isAlive(mongo.pid)).toBe(true)
  })

  it('skips loudly without a MongoDB and fails where it is required', async () => {
    const { noMongo } = await import('../src/mongo.ts')
    expect(noMongo([])).toBeUndefined()
    expect(() => noMongo(['mongo'])).toThrow('FANFARE_REQUIRE=mongo')
  })
})
