import { BusyError, ChannelError, type Pusher } from '@fanfare/core'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { batchOf, type Lab, never, serviceAccount, startLab } from './lab.ts'

let lab: Lab
let pusher: Pusher
beforeAll(async () => {
  lab = await startLab()
  pusher = await lab.open('fcm')
})
afterAll(() => lab.close())

const push = (...tokens: string[]) => pusher.push(batchOf(tokens), never)

describe('verdicts of FCM', () => {
  const rows: [token: string, expected: object][] = [
    ['ok-1', { outcome: 'sent' }],
    ['gone-1', { outcome: 'invalid', reason: 'UNREGISTERED' }],
    ['code-UNREGISTERED-1', { outcome: 'invalid', reason: 'UNREGISTERED' }],
    ['bad-1', { outcome: 'invalid', reason: 'INVALID_ARGUMENT token' }],
    ['code-TOKEN_FIELD-1', { outcome: 'invalid', reason: 'INVALID_ARGUMENT token' }],
    ['refused-1', { outcome: 'rejected', reason: 'INVALID_ARGUMENT: message' }],
    ['foreign-1', { outcome: 'invalid', reason: 'SENDER_ID_MISMATCH', gated: true }],
    ['error-1', { outcome: 'deferred', reason: 'INTERNAL', afterMs: 10_000 }],
    ['html-1', { outcome: 'deferred', afterMs: 10_000 }],
    ['rubbish-1', { outcome: 'unknown' }],
    ['reset-1', { outcome: 'unknown' }],
    ['has space', { outcome: 'invalid', reason: 'malformed token' }],
    ['a"b', { outcome: 'invalid', reason: 'malformed token' }],
  ]
  it.each(rows)('%s', async (token, expected) => {
    const [first, second] = await push(token, 'ok-2')
    expect(first).toMatchObject({ id: '0', ...expected })
    expect(second).toMatchObject({ id: '1', outcome: 'sent' })
  })

  it.each(['code-NOT_FOUND-1', 'code-PERMISSION_DENIED-1', 'code-THIRD_PARTY_AUTH_ERROR-1', 'denied-1'])(
    '%s is a channel error',
    async (token) => {
      await expect(push(token)).rejects.toThrow(ChannelError)
    },
  )

  it('busy-1 rejects with BusyError and the Retry-After', async () => {
    const error = await push('busy-1').catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(BusyError)
    expect((error as BusyError).afterMs).toBeGreaterThanOrEqual(1000)
  })

  it('down-1 is deferred', async () => {
    expect(await push('down-1')).toMatchObject([{ outcome: 'deferred' }])
  })

  it('says of single members that the account is busy when others got an answer', async () => {
    const results = await push('ok-1', 'ok-2', 'busy-1')
    expect(results).toMatchObject([
      { outcome: 'sent' },
      { outcome: 'sent' },
      { outcome: 'deferred', busy: true, free: true },
    ])
  })

  it('keeps Apple tokens with a wrong APNs key from stopping the others', async () => {
    const results = await push('code-THIRD_PARTY_AUTH_ERROR-1', 'ok-1')
    expect(results).toMatchObject([{ outcome: 'deferred', reason: 'THIRD_PARTY_AUTH_ERROR' }, { outcome: 'sent' }])
  })

  it('sends again what a GOAWAY or REFUSED_STREAM left unprocessed', async () => {
    expect(await push('unprocessed-2-a', 'ok-1')).toMatchObject([{ outcome: 'sent' }, { outcome: 'sent' }])
    expect(await push('goaway-1-b', 'ok-1', 'ok-2')).toMatchObject([1, 2, 3].map(() => ({ outcome: 'sent' })))
  })
})

describe('access tokens of FCM', () => {
  it('gets a new one once when the present one expired, and sends at once', async () => {
    lab.simulator.reset()
    lab.simulator.settings.oauthTokenSeconds = 3599
    const other = await lab.open('fcm', { credential: serviceAccount('expiring') })
    await other.push(batchOf(['ok-1']), never)
    const results = await other.push(batchOf(['expired-1-a', 'expired-1-b', 'ok-9']), never)
    expect(results).toMatchObject([1, 2, 3].map(() => ({ outcome: 'sent' })))
  })

  it('is a channel error when the new one is refused too', async () => {
    await expect(push('expired-always')).rejects.toThrow(ChannelError)
  })

  it('is a channel error when Google refuses the account', async () => {
    const refused = await lab.open('fcm', { credential: serviceAccount('p', 'bad-sender@p.example.com') })
    await expect(refused.push(batchOf(['ok-1']), never)).rejects.toThrow('invalid_grant')
  })

  it('defers free of charge while the token endpoint is down', async () => {
    lab.simulator.faults.set({ vendor: 'fcm', kind: 'oauth-down' })
    const down = await lab.open('fcm', { credential: serviceAccount('down') })
    expect(await down.push(batchOf(['ok-1']), never)).toMatchObject([{ outcome: 'deferred', free: true }])
    lab.simulator.reset()
    expect(await down.push(batchOf(['ok-1']), never)).toMatchObject([{ outcome: 'sent' }])
  })

  it.each(['', '{}', 'text', JSON.stringify({ project_id: 'p', client_email: 'a@p.example.com', private_key: 'x' })])(
    'refuses the credential %p',
    async (credential) => {
      await expect(lab.open('fcm', { credential })).rejects.toThrow(ChannelError)
    },
  )
})

describe('messages to FCM', () => {
  it('rejects before sending what is too large or has a reserved key', async () => {
    lab.simulator.reset()
    const large = batchOf(['ok-1', 'ok-2'], { title: 't', content: 'x'.repeat(4100) })
    const results = await pusher.push(large, never)
    expect(results).toMatchObject([{ outcome: 'rejected' }, { outcome: 'rejected' }])
    expect(results[0]).toHaveProperty('reason', expect.stringMatching(/^fcm: \d+ bytes of payload, 4096 are allowed$/))
    const reserved = batchOf(['ok-1'], { title: 't', content: 'c', fcm: { data: { from: 'me' } } })
    expect(await pusher.push(reserved, never)).toMatchObject([{ reason: 'fcm.data.from: the key is reserved' }])
    expect(lab.simulator.journal.counts().requests).toBe(0)
  })

  it('passes the answer on to synchronous pushes', async () => {
    const [result] = await push('ok-1')
    expect(result?.reply).toMatchObject({ name: expect.stringMatching(/^projects\/demo-project\/messages\//) })
    const [gone] = await push('gone-1')
    expect(gone?.reply).toMatchObject({ error: { status: 'NOT_FOUND' } })
  })
})
