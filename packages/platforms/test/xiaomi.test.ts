import { BusyError, ChannelError, type Pusher } from '@fanfare/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { readXiaomiAnswer } from '../src/vendors/xiaomi/verdicts.ts'
import { batchOf, type Lab, never, startLab } from './lab.ts'

let lab: Lab
let pusher: Pusher
beforeAll(async () => {
  lab = await startLab()
  pusher = await lab.open('xiaomi')
})
afterAll(() => lab.close())
beforeEach(() => lab.simulator.reset())

const push = (...tokens: string[]) => pusher.push(batchOf(tokens), never)
const tokens = (count: number, name = 'ok') => Array.from({ length: count }, (_, index) => `${name}-x${index}`)

describe('verdicts of Xiaomi', () => {
  it('sends, and names the dead ones of a batch', async () => {
    expect(await push('ok-1', 'gone-1', 'ok-2', 'bad-1')).toMatchObject([
      { outcome: 'sent' },
      { outcome: 'invalid', reason: 'bad_regids' },
      { outcome: 'sent' },
      { outcome: 'invalid' },
    ])
  })

  it('a single dead token is invalid', async () => {
    expect(await push('gone-1')).toMatchObject([{ outcome: 'invalid', reason: '20301 no valid target' }])
  })

  it('20301 without a target at fault is rejected for one device', () => {
    const text = '{"result":"error","code":20301,"reason":"Send failed"}'
    expect(readXiaomiAnswer({ status: 200, headers: {}, text })).toMatchObject({
      all: { is: 'rejected' },
      noTarget: false,
    })
  })

  it('20301 splits a batch in halves once, then rejects', async () => {
    const results = await push(...tokens(100, 'gone'))
    expect(lab.simulator.journal.counts().requests).toBe(3)
    expect(results.every((result) => result.outcome === 'rejected')).toBe(true)
    lab.simulator.reset()
    const mixed = await push(...tokens(50, 'gone'), ...tokens(50))
    expect(mixed.filter((result) => result.outcome === 'sent').length).toBe(50)
  })

  it.each(['10029', '65003', '10008', '10016', '65009', '26006'])('code %s is rejected', async (code) => {
    expect(await push(`code-${code}-a`)).toMatchObject([{ outcome: 'rejected', reason: code }])
  })

  it.each(['-1', '1', '10001', '10003', '10037', '65030'])('code %s is deferred', async (code) => {
    const token = `code-${code.replace('-', 'n')}-a`
    expect(await push(token)).toMatchObject([{ outcome: 'deferred', reason: code }])
  })

  it.each(['200002', '10027', '26004'])('code %s is busy', async (code) => {
    await expect(push(`code-${code}-a`)).rejects.toThrow(BusyError)
  })

  it.each(['200001', '10034'])('code %s ends the day', async (code) => {
    await expect(push(`code-${code}-a`)).rejects.toMatchObject({ name: 'BusyError', quotaDay: true })
  })

  it.each(['21301', '22000', '22007', '10031', '27001'])('code %s is a channel error', async (code) => {
    await expect(push(`code-${code}-a`)).rejects.toThrow(ChannelError)
  })

  it.each([
    ['down-1', 'deferred'],
    ['html-1', 'deferred'],
    ['rubbish-1', 'unknown'],
    ['reset-1', 'unknown'],
    ['close-1', 'unknown'],
  ])('%s is %s', async (token, outcome) => {
    expect(await push(token, 'ok-1')).toMatchObject([{ outcome }, { outcome }])
  })

  it('understands bad_regids in both spellings, and lists', () => {
    const answer = (data: object) =>
      readXiaomiAnswer({ status: 200, headers: {}, text: JSON.stringify({ result: 'ok', code: 0, data }) })
    expect([...answer({ bad_regids: 'a, b' }).bad]).toEqual(['a', 'b'])
    expect([...answer({ bad_regIds: 'a,b' }).bad]).toEqual(['a', 'b'])
    expect([...answer({ bad_regids: ['a', 'b'] }).bad]).toEqual(['a', 'b'])
    expect([...answer({}).bad]).toEqual([])
  })
})

describe('requests to Xiaomi', () => {
  it('sends at most 1,000 per request and each token once', async () => {
    const results = await push(...tokens(2500), 'ok-x0')
    expect(results.length).toBe(2501)
    expect(results.every((result) => result.outcome === 'sent')).toBe(true)
    expect(lab.simulator.journal.counts()).toMatchObject({ requests: 3, accepted: 2500, duplicates: 0 })
  })

  it('takes the secret, the package and the channel from the channel', async () => {
    const other = await lab.open('xiaomi', {
      credential: 'another-secret',
      settings: { packageName: 'com.example.other', channelId: '12345', region: 'EU' },
    })
    await other.push(batchOf(['ok-1']), never)
    const [request] = lab.simulator.journal.requests({ vendor: 'xiaomi' })
    const form = new URLSearchParams(request?.body)
    expect(form.get('restricted_package_name')).toBe('com.example.other')
    expect(form.get('extra.channel_id')).toBe('12345')
    expect(request?.path).toBe('/v3/message/regid')
  })

  it.each([
    [{ region: 'MARS' }, 'region'],
    [{ packageName: '' }, 'packageName'],
  ])('refuses the settings %p', async (settings, name) => {
    const opened = lab.open('xiaomi', { settings }).then((other) => other.push(batchOf(['ok-1']), never))
    await expect(opened).rejects.toThrow(name)
  })

  it.each([
    [{ title: 'x'.repeat(50) }, 'xiaomi.title: longer than 49 characters'],
    [{ description: 'x'.repeat(128) }, 'xiaomi.description: longer than 127 characters'],
    [{ payload: 'x'.repeat(4097) }, 'xiaomi.payload: 4097 bytes, 4096 are allowed'],
    [{ jobkey: 'no spaces' }, 'xiaomi.jobkey: at most 20 letters, digits, _ and -'],
  ])('rejects %p before sending', async (xiaomi, reason) => {
    const batch = batchOf(['ok-1'], { title: 't', content: 'c', xiaomi })
    expect(await pusher.push(batch, never)).toMatchObject([{ outcome: 'rejected', reason }])
    expect(lab.simulator.journal.counts().requests).toBe(0)
  })
})
