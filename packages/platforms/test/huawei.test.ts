import { generateKeyPairSync } from 'node:crypto'
import { BusyError, ChannelError, type JsonObject, type Pusher } from '@fanfare/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { readHuaweiAnswer } from '../src/vendors/huawei/verdicts.ts'
import { batchOf, type Lab, never, startLab } from './lab.ts'

let lab: Lab
let v1: Pusher
let v3: Pusher
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ACCOUNT = JSON.stringify({
  project_id: '388421841',
  key_id: 'huawei-key-1',
  sub_account: '100200300',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
})

beforeAll(async () => {
  lab = await startLab()
  lab.simulator.trustKey('huawei-key-1', publicKey.export({ type: 'spki', format: 'pem' }).toString())
  v1 = await lab.open('huawei')
  v3 = await lab.open('huawei', { credential: ACCOUNT, settings: { apiVersion: 3 } })
})
afterAll(() => lab.close())
beforeEach(() => lab.simulator.reset())

const tokens = (count: number, name = 'ok') => Array.from({ length: count }, (_, index) => `${name}-x${index}`)
const push = (...list: string[]) => v1.push(batchOf(list), never)
const pushV3 = (...list: string[]) => v3.push(batchOf(list), never)
const answer = (status: number, body: unknown) =>
  readHuaweiAnswer({ status, headers: {}, text: typeof body === 'string' ? body : JSON.stringify(body) })

describe('verdicts of Huawei v1', () => {
  it('names the dead tokens of a batch one by one', async () => {
    expect(await push('ok-1', 'gone-1', 'ok-2', 'bad-1')).toMatchObject([
      { outcome: 'sent' },
      { outcome: 'invalid', reason: 'illegal_tokens' },
      { outcome: 'sent' },
      { outcome: 'invalid', reason: 'illegal_tokens' },
    ])
  })

  it('all dead is invalid behind the gate: a wrong app answers alike', async () => {
    expect(await push('gone-1', 'gone-2')).toMatchObject([
      { outcome: 'invalid', reason: '80300007', gated: true },
      { outcome: 'invalid', gated: true },
    ])
  })

  it.each([
    ...['80100001', '80100003', '80100004', '80100013', '80100016', '80100018', '80100022'],
    ...['80300008', '80300010', '80300011', '80300013', '80999999'],
  ])('code %s is rejected', async (code) => {
    expect(await push(`code-${code}-a`)).toMatchObject([{ outcome: 'rejected', reason: code }])
  })

  it.each(['80300002', '80300036', '80300037', '80600003', '80200001', '80200003', '80200005'])(
    'code %s is a channel error',
    async (code) => {
      await expect(push(`code-${code}-a`)).rejects.toThrow(ChannelError)
    },
  )

  it.each(['80100017', '80300029'])('code %s is busy', async (code) => {
    await expect(push(`code-${code}-a`)).rejects.toThrow(BusyError)
  })

  it.each(['busy-1', 'down-1'])('%s, HTTP 503, is busy for two seconds', async (token) => {
    await expect(push(token)).rejects.toMatchObject({ name: 'BusyError', afterMs: 2000 })
  })

  it.each([
    ['code-81000001-a', 'deferred'],
    ['error-1', 'deferred'],
    ['html-1', 'deferred'],
    ['rubbish-1', 'unknown'],
    ['reset-1', 'unknown'],
    ['close-1', 'unknown'],
  ])('%s is %s', async (token, outcome) => {
    expect(await push(token, 'ok-1')).toMatchObject([{ outcome }, { outcome }])
  })

  it('a token with a blank is never sent', async () => {
    expect(await push('has space')).toMatchObject([{ outcome: 'invalid', reason: 'malformed token' }])
    expect(lab.simulator.journal.counts().requests).toBe(0)
  })
})

describe('verdicts of Huawei v3', () => {
  it.each([
    ['bad-1', { outcome: 'invalid', reason: 'tokenFormatError' }],
    ['code-tokenPlatformNotSupport', { outcome: 'invalid', reason: 'tokenPlatformNotSupport' }],
    ['gone-1', { outcome: 'invalid', reason: 'noRight', gated: true }],
    ['foreign-1', { outcome: 'invalid', reason: 'noRight', gated: true }],
    ['refused-1', { outcome: 'rejected', reason: 'noPushTypeRight' }],
    ['code-noRightToSendX', { outcome: 'rejected', reason: 'noRightToSendX' }],
    ['code-notSupportPlayVoice', { outcome: 'rejected', reason: 'notSupportPlayVoice' }],
    ['code-atomicUnableX', { outcome: 'rejected', reason: 'atomicUnableX' }],
    ['code-somethingNew', { outcome: 'rejected', reason: 'somethingNew' }],
  ])('%s beside one that is sent', async (token, expected) => {
    expect(await pushV3(token, 'ok-1')).toMatchObject([expected, { outcome: 'sent' }])
  })

  it('all dead, each by its own reason', async () => {
    const results = await pushV3('bad-1', 'gone-1')
    expect(results).toMatchObject([{ reason: 'tokenFormatError' }, { reason: 'noRight', gated: true }])
    expect(results[0]).not.toHaveProperty('gated')
  })

  it('a missing right of all tokens is a channel error', async () => {
    await expect(pushV3('refused-1', 'refused-2')).rejects.toThrow(ChannelError)
  })

  it.each(['disableSendHuaweiMsgBecauseOfPenalty', 'appinfoError', 'noRightToSend', 'noPushTypeRight'])(
    '%s of all tokens is a channel error, and no token is dead',
    async (reason) => {
      await expect(pushV3(`code-${reason}`)).rejects.toThrow(ChannelError)
    },
  )

  it.each(['countryNotSupport', 'atomicUnable', 'differentImgVerifyPolicy', 'notSupportPlayVoice'])(
    '%s is rejected and the token kept',
    async (reason) => {
      expect(await pushV3(`code-${reason}`)).toMatchObject([{ outcome: 'rejected', reason }])
    },
  )

  it('reads reasons that stand in blanks, as in the official sample', () => {
    const msg = '{"success":0,"failure":1,"illegalTokens":{" tokenFormatError ":["x"]}}'
    const { listed } = answer(200, { code: '80100000', msg })
    expect(listed.get('x')).toMatchObject({ is: 'invalid', reason: 'tokenFormatError' })
  })
})

describe('answers that are none', () => {
  it.each([
    [200, 'nonsense', 'unknown'],
    [200, '[]', 'unknown'],
    [200, { code: 'x' }, 'unknown'],
    [200, { code: '80100000', msg: 'no json' }, 'sent'],
    [200, { code: '80100000', msg: { illegal_tokens: 'x' } }, 'sent'],
    [401, '', 'refresh'],
    [429, '', 'busy'],
    [500, { code: '1' }, 'deferred'],
    [404, '', 'rejected'],
  ])('%p %p is %s', (status, body, is) => {
    expect(answer(status, body).all.is).toBe(is)
  })
})

describe('requests to Huawei', () => {
  it('sends at most 1,000 tokens per request and each once', async () => {
    const results = await push(...tokens(2500), 'ok-x0')
    expect(results.every((result) => result.outcome === 'sent')).toBe(true)
    expect(lab.simulator.journal.counts()).toMatchObject({ requests: 3, accepted: 2500, duplicates: 0 })
  })

  it('renews a revoked token once for all, and sends again at once', async () => {
    await push('ok-1')
    lab.simulator.revokeTokens('huawei')
    expect(await push(...tokens(1500))).toHaveLength(1500)
    expect(lab.simulator.journal.counts('huawei').accepted).toBe(1501)
  })

  it('a token that expired is renewed and the push goes out', async () => {
    expect(await push('expired-1-a', 'ok-1')).toMatchObject([{ outcome: 'sent' }, { outcome: 'sent' }])
  })

  it('a refused secret is a channel error', async () => {
    const other = await lab.open('huawei', { credential: 'bad-secret' })
    await expect(other.push(batchOf(['ok-1']), never)).rejects.toThrow(ChannelError)
  })

  it('an OAuth endpoint that is down defers, not sent', async () => {
    lab.simulator.faults.set({ vendor: 'huawei', kind: 'oauth-down' })
    const other = await lab.open('huawei', { settings: { appId: '777' } })
    const pushed = other.push(batchOf(['ok-1']), never)
    await expect(pushed.catch((error: unknown) => [error])).resolves.toHaveLength(1)
    expect(lab.simulator.journal.counts().requests).toBe(0)
  })

  it('v3 signs with PS256 and names the push type in a header', async () => {
    await v3.push(batchOf(['ok-1'], { title: 't', content: 'c', harmonyOS: { pushType: 6, payload: { x: 1 } } }), never)
    const [request] = lab.simulator.journal.requests({ vendor: 'huawei' })
    expect(request?.path).toBe('/v3/388421841/messages:send')
    expect(request?.headers['push-type']).toBe('6')
  })

  it('v1 takes a service account too', async () => {
    const other = await lab.open('huawei', { credential: ACCOUNT })
    expect(await other.push(batchOf(['ok-1']), never)).toMatchObject([{ outcome: 'sent' }])
  })

  it.each([
    [{ apiVersion: 3 }, 'secret', 'service account'],
    [{ appId: 'a/b' }, 'secret', 'app id'],
    [{}, '{"key_id":"x"}', 'sub_account'],
    [{}, '{"key_id":"x","sub_account":"y","private_key":"z"}', 'private key'],
    [{}, 'has space', 'app secret'],
  ])('refuses the settings %p with credential %p', async (settings, credential, text) => {
    await expect(lab.open('huawei', { settings, credential })).rejects.toThrow(text)
  })
})

describe('limits of Huawei messages', () => {
  const notification = (fields: JsonObject) => ({ message: { android: { notification: fields } } })
  it.each([
    [{ message: { data: 'x'.repeat(4096) } }, 'huawei: the body has'],
    [notification({ inboxContent: ['1', '2', '3', '4', '5', '6'] }), 'inboxContent: at most 5 items'],
    [notification({ vibrateConfig: Array(11).fill('1') }), 'vibrateConfig: at most 10 items'],
    [notification({ buttons: [{}, {}, {}, {}] }), 'buttons: at most 3 items'],
    [notification({ buttons: [{ name: 'x'.repeat(41) }] }), 'buttons.name: longer than 40'],
    [notification({ badge: { addNum: 100 } }), 'badge.addNum: must be 1 to 99'],
    [notification({ badge: { setNum: 'x' } }), 'badge.setNum: must be 0 to 99'],
  ])('rejects %p before sending', async (huawei, reason) => {
    const [result] = await v1.push(batchOf(['ok-1'], { title: 't', content: 'c', huawei }), never)
    expect(result).toMatchObject({ outcome: 'rejected', reason: expect.stringContaining(reason) })
    expect(lab.simulator.journal.counts().requests).toBe(0)
  })

  it('a body of exactly 4,096 bytes without its tokens is sent', async () => {
    const size = (text: string) => {
      const [request] = lab.simulator.journal.requests({ vendor: 'huawei' })
      return Buffer.byteLength(request?.body ?? '') - Buffer.byteLength(text)
    }
    const list = tokens(1000, 'ok-and-a-rather-long-token')
    const send = (length: number) =>
      v1.push(
        batchOf(list, { title: 't', content: 'c', huawei: { message: { data: 'x'.repeat(length) } } }, '42'),
        never,
      )
    await send(1000)
    const room = 4096 - size(JSON.stringify(list))
    lab.simulator.reset()
    expect((await send(1000 + room)).every(({ outcome }) => outcome === 'sent')).toBe(true)
    expect((await send(1001 + room)).every(({ outcome }) => outcome === 'rejected')).toBe(true)
  })

  it.each([
    [{ pushType: 5 }, 'harmonyOS.pushType: must be 0, 1, 2, 6, 7 or 10'],
    [{ pushType: 6 }, 'harmonyOS.payload: must be an object'],
    [{ inboxContent: ['1', '2', '3', '4'] }, 'harmonyOS.inboxContent: at most 3 items'],
  ])('rejects %p before sending', async (harmonyOS, reason) => {
    const [result] = await v3.push(batchOf(['ok-1'], { title: 't', content: 'c', harmonyOS }), never)
    expect(result).toMatchObject({ outcome: 'rejected', reason: expect.stringContaining(reason) })
  })
})
