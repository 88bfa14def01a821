import { BusyError, ChannelError, type Pusher } from '@fanfare/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { readWecomAnswer } from '../src/vendors/wecom/verdicts.ts'
import { batchOf, type Lab, never, startLab } from './lab.ts'

let lab: Lab
let pusher: Pusher
beforeAll(async () => {
  lab = await startLab()
  pusher = await lab.open('wecom')
})
afterAll(() => lab.close())
beforeEach(() => lab.simulator.reset())

const push = (...users: string[]) => pusher.push(batchOf(users), never)
const users = (count: number, name = 'ok') => Array.from({ length: count }, (_, index) => `${name}-x${index}`)
const bodies = () => lab.simulator.journal.requests({ vendor: 'wecom' }).map(({ body }) => body)

describe('verdicts of WeCom', () => {
  it('finds invalid and unlicensed users whatever their case', async () => {
    expect(await push('ok-1', 'gone-Anna', 'ok-2', 'refused-Bob')).toMatchObject([
      { outcome: 'sent' },
      { outcome: 'invalid', reason: 'invaliduser', gated: true },
      { outcome: 'sent' },
      { outcome: 'rejected', reason: 'unlicenseduser' },
    ])
    const text = JSON.stringify({ errcode: 0, invaliduser: 'ANNA|bob', unlicenseduser: '' })
    const { listed } = readWecomAnswer({ status: 200, headers: {}, text })
    expect([...listed.keys()]).toEqual(['anna', 'bob'])
  })

  it.each(['81013', '40003', '40031', '46004', '60111'])('code %s is invalid behind the gate', async (code) => {
    expect(await push(`code-${code}-a`)).toMatchObject([{ outcome: 'invalid', reason: code, gated: true }])
  })

  it.each([
    ...['60011', '50002', '60021', '40008', '40032', '40035', '40058', '40063', '44004', '45002', '47001'],
    ...['82001', '82002', '82003', '99999'],
  ])('code %s is rejected', async (code) => {
    expect(await push(`code-${code}-a`)).toMatchObject([{ outcome: 'rejected', reason: code }])
  })

  it.each(['-1', '6000'])('code %s is deferred', async (code) => {
    expect(await push(`code-${code.replace('-', 'n')}-a`)).toMatchObject([{ outcome: 'deferred', reason: code }])
  })

  it.each([
    ['45009', 60_000],
    ['45033', 2000],
  ])('code %s is busy for %i ms', async (code, afterMs) => {
    const error = await push(`code-${code}-a`).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(BusyError)
    expect(error).toMatchObject({ afterMs })
  })

  it.each([
    ...['40014', '42001', '41001', '40001', '40013', '40056', '301002', '48002', '48004', '50001', '50003'],
    ...['60020', '301007', '2000002'],
  ])('code %s is a channel error', async (code) => {
    await expect(push(`code-${code}-a`)).rejects.toThrow(ChannelError)
  })

  it.each([
    ['html-1', 'deferred'],
    ['rubbish-1', 'unknown'],
    ['reset-1', 'unknown'],
    ['close-1', 'unknown'],
  ])('%s is %s', async (user, outcome) => {
    expect(await push(user, 'ok-1')).toMatchObject([{ outcome }, { outcome }])
  })

  it.each(['@all', 'a|b', 'has space', '', '-x', 'x'.repeat(65), 'ü'])('never sends to %p', async (user) => {
    expect(await push(user)).toMatchObject([{ outcome: 'invalid', reason: 'malformed token' }])
    expect(lab.simulator.journal.counts().requests).toBe(0)
  })
})

describe('requests to WeCom', () => {
  it('sends to at most 1,000 users per request and to each once', async () => {
    const results = await push(...users(2500), 'ok-x0')
    expect(results.every((result) => result.outcome === 'sent')).toBe(true)
    expect(lab.simulator.journal.counts()).toMatchObject({ requests: 3, accepted: 2500, duplicates: 0 })
  })

  it('repeats a lost batch byte for byte, so that WeCom drops it', async () => {
    const batch = batchOf(['ok-1', 'close-1-a', 'ok-2'])
    expect(await pusher.push(batch, never)).toMatchObject(Array(3).fill({ outcome: 'unknown' }))
    expect(await pusher.push(batch, never)).toMatchObject(Array(3).fill({ outcome: 'sent' }))
    const [again, first] = bodies()
    expect(again).toBe(first)
    expect(lab.simulator.journal.counts()).toMatchObject({ requests: 2, accepted: 3, duplicates: 0 })
  })

  it('two tasks with the same text are two messages', async () => {
    await push('ok-1')
    await push('ok-1')
    expect(lab.simulator.journal.counts()).toMatchObject({ accepted: 2, duplicates: 0 })
  })

  it.each(['expired-1-a', 'denied-1-a'])('%s: the token is fetched anew and the batch sent again', async (user) => {
    expect(await push(user, 'ok-1')).toMatchObject([{ outcome: 'sent' }, { outcome: 'sent' }])
    expect(bodies()[0]).toBe(bodies()[1])
  })

  it('keeps the token out of reasons and replies', async () => {
    const [result] = await push('ok-1')
    expect(JSON.stringify(result)).not.toMatch(/access_token|secret/)
    expect(result?.reply).toMatchObject({ errcode: 0 })
  })

  it('a refused secret is a channel error', async () => {
    const other = await lab.open('wecom', { credential: 'bad-secret', settings: { agentId: 7 } })
    await expect(other.push(batchOf(['ok-1']), never)).rejects.toThrow('40001')
  })

  it.each([
    [{ corpId: '' }, 'corpId'],
    [{ agentId: 'x' }, 'agentId'],
    [{ corpId: 'a b' }, 'corpId'],
  ])('refuses the settings %p', async (settings, name) => {
    await expect(lab.open('wecom', { settings })).rejects.toThrow(name)
  })

  it.each([
    [{ msgType: 'image' }, 'wecom.msgType: must be one of text, markdown, textcard'],
    [{ msgType: 'constructor' }, 'wecom.msgType'],
    [{ content: '字'.repeat(683) }, 'wecom.content: 2049 bytes, 2048 are allowed'],
    [{ msgType: 'markdown', content: 'x'.repeat(2049) }, 'wecom.content: 2049 bytes'],
    [{ msgType: 'textcard' }, 'wecom.url: a textcard needs one'],
    [{ msgType: 'textcard', title: 'x'.repeat(129), url: 'https://example.com' }, 'wecom.title: 129 bytes'],
    [{ msgType: 'textcard', description: 'x'.repeat(513), url: 'https://example.com' }, 'wecom.description: 513'],
    [{ msgType: 'textcard', url: `https://example.com/${'x'.repeat(2048)}` }, 'wecom.url: 2068 bytes'],
  ])('rejects %p before sending', async (wecom, reason) => {
    const [result] = await pusher.push(batchOf(['ok-1'], { title: 't', content: 'c', wecom }), never)
    expect(result).toMatchObject({ outcome: 'rejected', reason: expect.stringContaining(reason) })
    expect(lab.simulator.journal.counts().requests).toBe(0)
  })
})
