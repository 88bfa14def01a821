import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals'
import { createTransport } from 'nodemailer'
import type { Simulator } from '../src/index.ts'
import { startSimulator } from '../src/index.ts'

// Generous: the machines that run this share two cores.
jest.setTimeout(30_000)

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})
beforeEach(() => simulator.reset())
afterAll(() => simulator.close())

const AUTH = { user: 'push', pass: 'secret' }

/** Sends one mail on a connection of its own; the SMTP code of the refusal instead of an error. */
async function mail(to: string | string[], options: object = {}, message: object = {}) {
  const { host, port } = simulator.smtp
  const transport = createTransport({ host, port, auth: AUTH, tls: { ca: simulator.caPem }, ...options } as object)
  try {
    return await transport.sendMail({ from: 'push@example.com', to, subject: 'Hi', text: 'Text', ...message })
  } catch (error) {
    const { code, command, responseCode } = error as { code: string; command: string; responseCode: number }
    return { code, command, responseCode }
  } finally {
    transport.close()
  }
}

it('takes mail over STARTTLS and over TLS, with a log-in', async () => {
  expect(await mail('ok-1@example.com')).toMatchObject({ accepted: ['ok-1@example.com'] })
  expect(await mail('ok-2@example.com', { port: simulator.smtp.securePort, secure: true })).toHaveProperty('accepted')
  const [first, second] = simulator.journal.requests({ vendor: 'email' })
  expect([first?.account, first?.protocol, first?.tokens, first?.status]).toEqual([
    'push',
    'SMTP+TLS',
    ['ok-1@example.com'],
    250,
  ])
  expect(second?.body).toContain('Subject: Hi')
})

it('answers by the local part', async () => {
  const expected: [string, number, string][] = [
    ['gone-1', 550, 'RCPT TO'],
    ['bad-1', 553, 'RCPT TO'],
    ['refused-1', 552, 'RCPT TO'],
    ['busy-1', 451, 'RCPT TO'],
    ['down-1', 421, 'CONN'],
    ['code-452-1', 452, 'RCPT TO'],
    ['code-data554-1', 554, 'DATA'],
  ]
  for (const [name, responseCode, command] of expected) {
    expect([name, await mail(`${name}@example.com`)]).toMatchObject([name, { responseCode, command }])
  }
  expect(simulator.journal.counts('email')).toMatchObject({ arrivals: 7, accepted: 0 })
})

it('is busy once, then takes the mail', async () => {
  expect(await mail('busy-1-a@example.com')).toMatchObject({ responseCode: 451 })
  expect(await mail('busy-1-a@example.com')).toHaveProperty('accepted')
})

it('refuses log-ins and senders', async () => {
  expect(await mail('ok-1@example.com', { auth: { user: 'push', pass: 'bad-1' } })).toMatchObject({
    code: 'EAUTH',
    responseCode: 535,
  })
  simulator.faults.set({ vendor: 'email', account: 'push', kind: '401', count: 1 })
  expect(await mail('ok-1@example.com')).toMatchObject({ code: 'EAUTH', responseCode: 535 })
  expect(await mail('ok-1@example.com', {}, { from: 'denied-1@example.com' })).toMatchObject({
    command: 'MAIL FROM',
    responseCode: 550,
  })
})

it('takes a part of the recipients', async () => {
  const result = await mail(['ok-1@example.com', 'gone-1@example.com'])
  expect(result).toMatchObject({ accepted: ['ok-1@example.com'], rejected: ['gone-1@example.com'] })
})

it('breaks off after the mail was taken', async () => {
  for (const name of ['reset-1', 'close-1', 'rubbish-1']) {
    expect([name, await mail(`${name}@example.com`)]).not.toHaveProperty('1.accepted')
  }
  expect(simulator.journal.counts('email').accepted).toBe(3)
})

it('knows a repeated mail by its Message-ID', async () => {
  for (const date of [0, 1000])
    await mail('ok-1@example.com', {}, { messageId: '<m1@example.com>', date: new Date(date) })
  await mail('ok-1@example.com', {}, { messageId: '<m2@example.com>' })
  expect(simulator.journal.counts('email')).toMatchObject({ accepted: 3, unique: 2, duplicates: 1 })
})
