import { connect } from 'node:net'
import { BusyError, ChannelError, type Pusher } from '@fanfare/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { isAddress, mailboxOf } from '../src/vendors/email/address.ts'
import { readSmtpError, type SmtpError } from '../src/vendors/email/verdicts.ts'
import { batchOf, type Lab, never, startLab } from './lab.ts'

let lab: Lab
let pusher: Pusher
beforeAll(async () => {
  lab = await startLab()
  pusher = await lab.open('email')
})
afterAll(() => lab.close())
beforeEach(() => lab.simulator.reset())

const at = (name: string) => `${name}@example.com`
const push = (...names: string[]) => pusher.push(batchOf(names.map(at)), never)
const mails = () => lab.simulator.journal.requests({ vendor: 'email' })

describe('verdicts of SMTP', () => {
  const rows: [name: string, expected: object][] = [
    ['ok-1', { outcome: 'sent', reply: { messageId: expect.stringMatching(/^<[0-9a-f]{32}@example\.com>$/) } }],
    ['gone-1', { outcome: 'invalid', reason: 'RCPT TO 550 5.1.1' }],
    ['bad-1', { outcome: 'invalid', reason: 'RCPT TO 553 5.1.3' }],
    ['code-551-1', { outcome: 'invalid', reason: 'RCPT TO 551 5.1.6' }],
    ['refused-1', { outcome: 'rejected', reason: 'RCPT TO 552 5.2.2' }],
    ['code-552-1', { outcome: 'rejected' }],
    ['code-554-1', { outcome: 'rejected', reason: 'RCPT TO 554 5.7.1' }],
    ['foreign-1', { outcome: 'rejected', reason: 'RCPT TO 550 5.7.1' }],
    ['busy-1', { outcome: 'deferred', reason: 'RCPT TO 451 4.7.1', afterMs: 300_000 }],
    ['error-1', { outcome: 'deferred', afterMs: 300_000 }],
    ['code-450-1', { outcome: 'deferred', reason: 'RCPT TO 450 4.2.0', afterMs: 300_000 }],
    ['code-data554-1', { outcome: 'rejected', reason: 'DATA 554 5.7.1' }],
    ['code-data552-1', { outcome: 'rejected', reason: 'DATA 552 5.2.2' }],
    ['code-data451-1', { outcome: 'deferred', reason: 'DATA 451 4.3.0' }],
    ['close-1', { outcome: 'unknown' }],
    ['reset-1', { outcome: 'unknown' }],
    ['rubbish-1', { outcome: 'unknown' }],
  ]
  it.each(rows)('%s', async (name, expected) => {
    const [first, second] = await push(name, 'ok-2')
    expect(first).toMatchObject({ id: '0', ...expected })
    expect(second).toMatchObject({ id: '1', outcome: 'sent' })
  })

  it.each(['down-1', 'code-421-1', 'code-452-1'])('%s is busy for a minute', async (name) => {
    // On a kept connection 421 also means that the server ends it for being idle; here it is a new one.
    const fresh = await lab.open('email')
    const error = await fresh.push(batchOf([at(name)]), never).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(BusyError)
    expect(error).toMatchObject({ afterMs: 60_000 })
  })

  it('the daily limit stops the channel for the day', async () => {
    await expect(push('quota-1')).rejects.toMatchObject({ name: 'BusyError', quotaDay: true })
  })

  it('530 is a channel error, and what was not tried stays unsent', async () => {
    await expect(push('denied-1')).rejects.toThrow(ChannelError)
    const names = Array.from({ length: 200 }, (_, index) => `ok-${index}`)
    const results = await push('ok-a', 'ok-b', 'ok-c', 'ok-d', 'denied-1', ...names)
    const counted = results.filter(({ outcome }) => outcome === 'sent').length
    expect(lab.simulator.journal.counts('email').accepted).toBe(counted)
    expect(counted).toBeLessThan(200)
  })

  it.each([['sender', '403-wrong-project'] as const, ['login', '401'] as const])(
    'a refused %s is a channel error',
    async (_, kind) => {
      lab.simulator.faults.set({ vendor: 'email', kind })
      const other = await lab.open('email')
      await expect(other.push(batchOf([at('ok-1')]), never)).rejects.toThrow(ChannelError)
    },
  )

  const errors: [error: Partial<SmtpError>, written: boolean, is: string][] = [
    [{ code: 'EAUTH', responseCode: 454 }, false, 'deferred'],
    [{ code: 'EAUTH', responseCode: 535 }, false, 'channel'],
    [{ code: 'EOAUTH2' }, false, 'channel'],
    [{ code: 'ETLS', responseCode: 500 }, false, 'channel'],
    [{ code: 'EENVELOPE', command: 'API' }, false, 'invalid'],
    [{ code: 'EMESSAGE', command: 'MAIL FROM' }, false, 'rejected'],
    [{ code: 'EENVELOPE', command: 'RCPT TO', responseCode: 550, response: '550 No such user here' }, false, 'invalid'],
    [{ code: 'EENVELOPE', command: 'RCPT TO', responseCode: 550, response: '550 denied' }, false, 'rejected'],
    [{ code: 'EENVELOPE', command: 'RCPT TO', responseCode: 450, response: '450 4.7.0 slow down' }, false, 'busy'],
    [{ code: 'ETIMEDOUT' }, false, 'deferred'],
    [{ code: 'ETIMEDOUT' }, true, 'unknown'],
    [{ code: 'EDNS' }, false, 'deferred'],
  ]
  it.each(errors)('%p, message begun: %p, is %s', (error, written, is) => {
    expect(readSmtpError(Object.assign(new Error('x'), error), written).is).toBe(is)
  })
})

describe('mails', () => {
  it('have one recipient each and the same Message-ID in every try', async () => {
    const batch = batchOf([at('close-1-a'), at('ok-2')], { title: 'Order', content: 'Shipped' })
    const [first] = await pusher.push(batch, never)
    expect(first).toMatchObject({ outcome: 'unknown' })
    await pusher.push({ ...batch, members: batch.members.slice(0, 1) }, never)
    const sent = mails().filter(({ tokens }) => tokens[0] === at('close-1-a'))
    const ids = new Set(sent.map(({ body }) => /^message-id: (.*)$/im.exec(body)?.[1]))
    expect(sent).toHaveLength(2)
    expect(ids.size).toBe(1)
    expect(mails().every(({ tokens }) => tokens.length === 1)).toBe(true)
  })

  it('carry text and HTML, and no header from a line break', async () => {
    const email = { subject: 'Order\r\nBcc: evil@example.com', text: 'plain', html: '<b>rich</b>' }
    await pusher.push(batchOf([at('ok-1')], { title: 't', content: 'c', email }), never)
    const [mail] = mails()
    expect(mail?.body).toMatch(/^Content-Type: multipart\/alternative/m)
    expect(mail?.body).toContain('<b>rich</b>')
    expect(mail?.body).not.toMatch(/^bcc:/im)
    expect(mail?.body).toMatch(/^From: Fanfare <news@example\.com>/m)
    expect(mail?.tokens).toEqual([at('ok-1')])
  })

  it.each([
    'a@b.c\r\nBcc: evil@example.com',
    'victim@example.com, evil@example.com',
    'Evil <evil@example.com>',
    'evil@example.com>',
    '"a b"@example.com',
    'no-at',
    '@example.com',
    'a..b@example.com',
    'a@-b.com',
    'ü@example.com',
    `${'x'.repeat(65)}@example.com`,
    `a@${'x.'.repeat(150)}com`,
  ])('never go to %p', async (token) => {
    expect(await pusher.push(batchOf([token, at('ok-1')]), never)).toMatchObject([
      { outcome: 'invalid', reason: 'malformed address' },
      { outcome: 'sent' },
    ])
    expect(mails()).toHaveLength(1)
  })

  it('addresses are checked in linear time', () => {
    const startedAt = performance.now()
    for (const text of [`${'a.'.repeat(120)}!`, `a@${'a-'.repeat(120)}!`, `${'a'.repeat(100_000)}`]) isAddress(text)
    expect(performance.now() - startedAt).toBeLessThan(100)
  })

  it('name a sender, or are refused', () => {
    expect(mailboxOf('"Fan, fare" <a@b.example>')).toEqual({ name: 'Fan, fare', address: 'a@b.example' })
    expect(mailboxOf('a@b.example')).toEqual({ name: '', address: 'a@b.example' })
    expect(mailboxOf('Name\r\nBcc: x <a@b.example>')).toBeUndefined()
  })

  it('too long are rejected with the name of the field', async () => {
    const message = { title: 'x'.repeat(256), content: 'c' }
    expect(await pusher.push(batchOf([at('ok-1')], message), never)).toMatchObject([
      { outcome: 'rejected', reason: 'email.subject: longer than 255 characters' },
    ])
  })
})

describe('connections', () => {
  it('are kept and few: 100 mails over at most five', async () => {
    const results = await push(...Array.from({ length: 100 }, (_, index) => `ok-${index}`))
    expect(results.every(({ outcome }) => outcome === 'sent')).toBe(true)
    expect(lab.simulator.journal.counts('email')).toMatchObject({ accepted: 100, duplicates: 0 })
  })

  it('use STARTTLS, or TLS from the first byte', async () => {
    await push('ok-1')
    expect(mails()[0]?.protocol).toBe('SMTP+TLS')
    const { host, securePort } = lab.simulator.smtp
    const secure = await lab.open('email', {
      settings: { security: 'tls' },
      options: { smtp: `${host}:${securePort}` },
    })
    expect(await secure.push(batchOf([at('ok-2')]), never)).toMatchObject([{ outcome: 'sent' }])
  })

  it('refuse a certificate they do not know and send nothing', async () => {
    const strict = await lab.open('email', { options: { ca: undefined } })
    const results = await strict.push(batchOf([at('ok-1')]), never).catch((error: unknown) => error)
    expect(JSON.stringify(results)).not.toContain('"sent"')
    expect(mails()).toHaveLength(0)
  })

  it('that are refused defer all, with few tries', async () => {
    const closed = await lab.open('email', { options: { smtp: '127.0.0.1:1' } })
    const results = await closed.push(batchOf(Array.from({ length: 500 }, (_, index) => at(`ok-${index}`))), never)
    expect(results.every((result) => result.outcome === 'deferred' && result.free === true)).toBe(true)
  })

  it('are given up when the signal says so', async () => {
    const stop = new AbortController()
    const pushed = pusher.push(batchOf([at('hang-1'), at('ok-1')]), stop.signal)
    const { host, port } = lab.simulator.smtp
    await new Promise<void>((resolve) => {
      const probe = connect(port, host).once('data', () => {
        probe.destroy()
        resolve()
      })
    })
    while (mails().length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    stop.abort()
    expect(await pushed).toMatchObject([{ outcome: 'unknown' }, { outcome: 'sent' }])
    expect(await pusher.push(batchOf([at('ok-3')]), stop.signal)).toMatchObject([{ outcome: 'deferred', free: true }])
  })

  it.each([
    [{ host: '127.0.0.1' }, 'host'],
    [{ host: 'mail.example.com', port: 22 }, 'port'],
  ])('go to mail servers only: %p', async (settings, name) => {
    await expect(lab.open('email', { settings, options: { smtp: undefined } })).rejects.toThrow(name)
  })

  it.each([
    [{ from: 'nobody' }, 'from'],
    [{ security: 'none' }, 'password'],
    [{ security: 'ssl' }, 'security'],
  ])('refuse the settings %p', async (settings, name) => {
    await expect(lab.open('email', { settings })).rejects.toThrow(name)
  })
})
