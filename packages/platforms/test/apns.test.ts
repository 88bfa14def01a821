import { BusyError, ChannelError, type Message, type Pusher } from '@fanfare/core'
import { apnsToken } from '@fanfare/simulator'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { uuidOf } from '../src/pushing/uuid.ts'
import { batchOf, type Lab, MESSAGE, never, p8Key, startLab } from './lab.ts'

let lab: Lab
let pusher: Pusher
beforeAll(async () => {
  lab = await startLab()
  pusher = await lab.open('apns')
})
afterAll(() => lab.close())
beforeEach(() => lab.simulator.reset())

let count = 0
const token = (behaviour: string) => apnsToken(behaviour, ++count)
const push = (...behaviours: string[]) => pusher.push(batchOf(behaviours.map(token)), never)

describe('verdicts of APNs', () => {
  it.each([
    ['ok', { outcome: 'sent' }],
    ['bad', { outcome: 'invalid', reason: 'BadDeviceToken', gated: true }],
    ['foreign', { outcome: 'invalid', reason: 'DeviceTokenNotForTopic', gated: true }],
    ['refused', { outcome: 'rejected', reason: 'PayloadTooLarge' }],
    ['busy', { outcome: 'deferred', reason: 'TooManyRequests', afterMs: 120_000 }],
    ['down', { outcome: 'deferred', reason: 'ServiceUnavailable' }],
    ['error', { outcome: 'deferred', reason: 'InternalServerError' }],
    ['html', { outcome: 'deferred', reason: 'HTTP 502' }],
    ['reset', { outcome: 'unknown' }],
    ['code-ExpiredToken', { outcome: 'invalid', reason: 'ExpiredToken' }],
    ['code-BadCollapseId', { outcome: 'rejected', reason: 'BadCollapseId' }],
    ['code-IdleTimeout', { outcome: 'deferred', reason: 'IdleTimeout' }],
    ['code-Shutdown', { outcome: 'deferred', reason: 'Shutdown' }],
  ])('%s', async (behaviour, expected) => {
    expect(await push(behaviour, 'ok')).toMatchObject([expected, { outcome: 'sent' }])
  })

  it('410 says since when the token is dead', async () => {
    const [result] = await push('gone')
    expect(result).toMatchObject({ outcome: 'invalid', reason: 'Unregistered' })
    expect(Math.abs(Date.now() - Number((result as { since?: Date }).since))).toBeLessThan(10_000)
  })

  it.each([
    'denied',
    'code-BadTopic',
    'code-MissingTopic',
    'code-TopicDisallowed',
    'code-Forbidden',
    'code-BadCertificate',
    'code-UnrelatedKeyIdInToken',
    'code-BadEnvironmentKeyIdInToken',
    'code-BadEnvironmentKeyInToken',
  ])('%s is a channel error', async (behaviour) => {
    await expect(push(behaviour)).rejects.toThrow(ChannelError)
  })

  it('does not sign again for a refusal within 20 min of the last time', async () => {
    await expect(push('expired-1')).rejects.toThrow('ExpiredProviderToken')
    expect(await push('ok')).toMatchObject([{ outcome: 'sent' }])
  })

  it('waits 20 min after TooManyProviderTokenUpdates', async () => {
    const error = await push('code-TooManyProviderTokenUpdates').catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(BusyError)
    expect((error as BusyError).afterMs).toBe(20 * 60_000)
  })

  it.each(['../../x', 'zz'.repeat(32), 'ab'.repeat(31), `${'ab'.repeat(32)}\r\nx: y`, ''])(
    'never sends the token %p',
    async (bad) => {
      expect(await pusher.push(batchOf([bad]), never)).toMatchObject([
        { outcome: 'invalid', reason: 'malformed token' },
      ])
      expect(lab.simulator.journal.counts().requests).toBe(0)
    },
  )
})

describe('requests to APNs', () => {
  const requestFor = async (message: Message) => {
    const batch = batchOf([token('ok')], message, '42')
    const [result] = await pusher.push(batch, never)
    return { result, request: lab.simulator.journal.requests({ vendor: 'apns' }).at(-1), batch }
  }

  it('carries an apns-id that is the same on every attempt, a topic, a collapse id and an expiry', async () => {
    const { request, result, batch } = await requestFor(MESSAGE)
    expect(request?.headers).toMatchObject({
      'apns-id': uuidOf('42-0'),
      'apns-topic': 'com.example.app',
      'apns-collapse-id': 'fanfare-42',
      'apns-push-type': 'alert',
      'apns-priority': '10',
      'apns-expiration': String(Math.round(batch.expiresAt.getTime() / 1000)),
    })
    expect(result?.reply).toMatchObject({ 'apns-id': uuidOf('42-0') })
    // As Python's uuid.uuid5 has it.
    expect(uuidOf('42-0')).toBe('8880fb8e-dabf-57cb-adc2-debb74b9d4b3')
  })

  it('signs one provider token for many pushes', async () => {
    await push('ok', 'ok')
    await push('ok')
    const used = lab.simulator.journal.requests({ vendor: 'apns' }).map(({ headers }) => headers['authorization'])
    expect(new Set(used).size).toBe(1)
  })

  it.each([
    [{ collapseId: 'ü' }, 'apns.collapseId: at most 64 printable ASCII characters'],
    [{ collapseId: 'x\r\ny' }, 'apns.collapseId: at most 64 printable ASCII characters'],
    [{ pushType: 'nonsense' }, 'apns.pushType: unknown'],
    [{ priority: 7 }, 'apns.priority: must be 10, 5 or 1'],
    [{ content: 'x'.repeat(4096) }, expect.stringMatching(/^apns: \d+ bytes of payload, 4096 are allowed$/)],
  ])('rejects %p before sending', async (apns, reason) => {
    const batch = batchOf([token('ok')], { ...MESSAGE, apns })
    expect(await pusher.push(batch, never)).toMatchObject([{ outcome: 'rejected', reason }])
    expect(lab.simulator.journal.counts().requests).toBe(0)
  })

  it.each([
    [{ bundleId: 'a b' }, 'bundleId'],
    [{ bundleId: 'x\r\napns-id: 1' }, 'bundleId'],
    [{ keyId: '' }, 'keyId'],
    [{ teamId: 'a/b' }, 'teamId'],
  ])('refuses the settings %p', async (settings, name) => {
    await expect(lab.open('apns', { settings })).rejects.toThrow(`setting ${name} is missing or malformed`)
  })

  it('takes the key as JSON with its ids, and refuses what is no key', async () => {
    const json = JSON.stringify({
      key: p8Key(),
      keyId: 'ABCDE12345',
      teamId: 'TEAM123456',
      bundleId: 'com.example.app',
    })
    const other = await lab.open('apns', { credential: json, settings: { keyId: '', teamId: '', bundleId: '' } })
    expect(other.batchSize).toBe(1)
    await expect(lab.open('apns', { credential: 'no key' })).rejects.toThrow('neither a p8 key nor a p12')
  })
})
