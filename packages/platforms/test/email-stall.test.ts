import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { BusyError, type PushResult } from '@fanfare/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { Stall } from '../src/vendors/email/stall.ts'
import { MAIL_TIMES } from '../src/vendors/email/times.ts'
import { batchOf, type Lab, never, startLab } from './lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
})
afterAll(() => lab.close())
beforeEach(() => lab.simulator.reset())

/** Short enough to wait for, long enough for a busy machine to be told from a stalled server. */
const SHORT = { mailMs: 1500, stallMs: 1000, waitMs: 60_000 }
const open = (more: object = {}) => lab.open('email', { options: { mailTimes: SHORT, ...more } })
const mails = (count: number, name = 'ok') =>
  batchOf(Array.from({ length: count }, (_, i) => `${name}-${i}@example.com`))
const errorOf = (pushed: Promise<unknown>) => pushed.catch((reason: unknown) => reason)

async function timed<T>(run: () => Promise<T>): Promise<{ answer: T; tookMs: number }> {
  const from = performance.now()
  return { answer: await run(), tookMs: performance.now() - from }
}

/** A mail server made by hand; counts its connections. */
async function server(talk: (socket: Socket) => void) {
  const sockets: Socket[] = []
  const listening = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined))
    talk(socket)
  }).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  return { smtp: `127.0.0.1:${port}`, sockets, close: () => new Promise((resolve) => listening.close(resolve)) }
}

describe('a mail server that stalls', () => {
  it.each(['greet-hang', 'mail-hang'] as const)(
    'at %s is busy after one deadline, however many mails wait',
    async (kind) => {
      lab.simulator.faults.set({ vendor: 'email', kind })
      const pusher = await open()
      const { answer, tookMs } = await timed(() => errorOf(pusher.push(mails(200), never)))
      expect(answer).toBeInstanceOf(BusyError)
      expect(answer).toMatchObject({ reason: 'the mail server stalls', quotaDay: false })
      expect((answer as BusyError).afterMs).toBeGreaterThan(30_000)
      // One round of connections, not forty.
      expect(tookMs).toBeLessThan(10 * SHORT.mailMs)
      const again = await timed(() => errorOf(pusher.push(mails(5), never)))
      expect(again.answer).toBeInstanceOf(BusyError)
      expect(again.tookMs).toBeLessThan(SHORT.stallMs)
    },
  )

  it('after DATA leaves that mail unknown, and the next ones unsent', async () => {
    const pusher = await open()
    expect(await pusher.push(batchOf(['hang-1@example.com']), never)).toMatchObject([{ outcome: 'unknown' }])
    expect(await errorOf(pusher.push(mails(3), never))).toBeInstanceOf(BusyError)
    expect(lab.simulator.journal.counts('email')).toMatchObject({ requests: 1 })
  })

  it('is tried again when it has rested, and works', async () => {
    lab.simulator.faults.set({ vendor: 'email', kind: 'greet-hang' })
    const pusher = await open({ mailTimes: { ...SHORT, restMs: 1 } })
    expect(await errorOf(pusher.push(mails(1), never))).toBeInstanceOf(BusyError)
    lab.simulator.faults.clear()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await pusher.push(mails(1), never)).toMatchObject([{ outcome: 'sent' }])
  })

  it('with a byte now and then meets the same deadline, and its connections are destroyed', async () => {
    const slow = await server((socket) => {
      const trickle = setInterval(() => socket.write('220-still here\r\n'), 50)
      socket.once('close', () => clearInterval(trickle))
    })
    const pusher = await open({ smtp: slow.smtp })
    const { answer, tookMs } = await timed(() => errorOf(pusher.push(mails(1), never)))
    expect(answer).toBeInstanceOf(BusyError)
    expect(tookMs).toBeLessThan(10 * SHORT.mailMs)
    // Resolves when no connection is left.
    await slow.close()
    expect(slow.sockets).toHaveLength(1)
  })

  it('gets few connections, whatever the tenant asks for', async () => {
    const silent = await server(() => undefined)
    const pusher = await lab.open('email', {
      options: { smtp: silent.smtp, mailTimes: SHORT },
      limits: { maxInFlight: 100_000 },
    })
    await errorOf(pusher.push(mails(300), never))
    expect(silent.sockets).toHaveLength(20)
    await silent.close()
  })
})

describe('a slow mail server', () => {
  it('puts off what finds no connection in time, and sends the rest', async () => {
    lab.simulator.faults.set({ vendor: 'email', kind: 'delay', delayMs: 300 })
    const pusher = await lab.open('email', {
      options: { mailTimes: { waitMs: 500 } },
      limits: { maxInFlight: 1 },
    })
    const results = await pusher.push(mails(50), never)
    const is = (outcome: PushResult['outcome']) => results.filter((result) => result.outcome === outcome)
    expect(is('sent').length).toBeGreaterThan(0)
    expect(is('sent').length).toBeLessThan(10)
    expect(is('deferred')).toHaveLength(50 - is('sent').length)
    expect(is('deferred')[0]).toMatchObject({ free: true, busy: true, afterMs: 2000 })
    expect(lab.simulator.journal.counts('email')).toMatchObject({ accepted: is('sent').length })
  })
})

describe('the rest of a server', () => {
  const silent = { is: 'deferred', reason: 'ETIMEDOUT', free: true } as const
  beforeAll(() => void jest.useFakeTimers({ now: 0 }))
  afterAll(() => void jest.useRealTimers())

  it('doubles up to ten minutes and ends with an answer', () => {
    const stall = new Stall(MAIL_TIMES)
    const rested: number[] = []
    for (let time = 0; time < 6; time++) {
      const startedAt = performance.now()
      jest.advanceTimersByTime(30_000)
      const { afterMs = 0 } = stall.judged(silent, startedAt)
      rested.push(afterMs / 60_000)
      expect(stall.refusal(performance.now())).toMatchObject({ is: 'busy' })
      jest.advanceTimersByTime(afterMs)
      expect(stall.refusal(performance.now())).toBeUndefined()
    }
    expect(rested).toEqual([1, 2, 4, 8, 10, 10])
    expect(stall.judged({ is: 'sent', reason: '' }, performance.now()).is).toBe('sent')
    const startedAt = performance.now()
    jest.advanceTimersByTime(30_000)
    expect(stall.judged(silent, startedAt).afterMs).toBe(60_000)
  })

  it('is not for a refusal that came fast', () => {
    const stall = new Stall(MAIL_TIMES)
    const startedAt = performance.now()
    jest.advanceTimersByTime(4000)
    expect(stall.judged(silent, startedAt)).toBe(silent)
  })
})
