import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Simulator } from '../src/index.ts'
import { startSimulator } from '../src/index.ts'
import { http1, jwt, nowSeconds, rsaKey } from './support.ts'

// Generous: the machines that run this share two cores.
jest.setTimeout(30_000)

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})
beforeEach(() => simulator.reset())
afterAll(() => simulator.close())

const many = (count: number) => Array.from({ length: count }, (_, i) => `ok-${i}`)
const JSON_TYPE = { 'content-type': 'application/json' }

describe('Xiaomi', () => {
  const FIELDS = { restricted_package_name: 'com.example.app', title: 'Hi', description: 'Text', pass_through: '0' }
  const push = (tokens: string[], fields: object = {}, authorization = 'key=secret') =>
    http1(simulator, '/v3/message/regid', {
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ registration_id: tokens.join(','), ...FIELDS, ...fields }).toString(),
    })

  it('takes 1,000 regids and lists the dead ones', async () => {
    const tokens = [...many(997), 'gone-1', 'bad-1', 'gone-2']
    const { status, json } = await push(tokens)
    expect([status, json.result, json.code]).toEqual([200, 'ok', 0])
    expect(json.data.bad_regids).toBe('gone-1,bad-1,gone-2')
    expect(simulator.journal.counts('xiaomi')).toMatchObject({
      requests: 1,
      arrivals: 1000,
      accepted: 997,
      duplicates: 0,
    })
    expect((await push(many(2))).json.data.bad_regids).toBeUndefined()
  })

  it('answers its codes', async () => {
    const code = async (...call: Parameters<typeof push>) => (await push(...call)).json.code
    expect(await code(['gone-1', 'gone-2'])).toBe(20301)
    expect(await code(['ok-1', 'busy-1'])).toBe(200002)
    expect(await code(['quota-1'])).toBe(200001)
    expect(await code(['code-27001-a'])).toBe(27001)
    expect(await code(['ok-1'], {}, 'key=bad-secret')).toBe(21301)
    expect(await code(['ok-1'], {}, 'Bearer x')).toBe(21301)
    expect(await code(many(1001))).toBe(10017)
    expect(await code(['ok-1'], { title: 'x'.repeat(50) })).toBe(65009)
    expect(await code(['ok-1'], { title: '' })).toBe(10016)
    expect(await code(['ok-1'], { payload: 'x'.repeat(4097) })).toBe(65009)
    expect(await code(['ok-1'], { 'extra.jobkey': 'not ok' })).toBe(10017)
    expect((await push(['error-1'])).status).toBe(500)
  })

  it('sees a repeated message as one, whatever its time to live', async () => {
    await push(['ok-1', 'ok-2'], { time_to_live: '3600000' })
    await push(['ok-2', 'ok-3'], { time_to_live: '3590000' })
    await push(['ok-2'], { title: 'Other' })
    expect(simulator.journal.counts('xiaomi')).toMatchObject({ accepted: 5, unique: 4, duplicates: 1 })
    expect(simulator.journal.tokens({ duplicates: true })).toEqual([
      { vendor: 'xiaomi', token: 'ok-2', accepted: 3, duplicates: 1 },
    ])
  })
})

describe('Huawei', () => {
  const notification = { title: 'Hi', body: 'Text', click_action: { type: 3 } }
  const v1 = (token: string[], android: object = {}) => ({ message: { token, android: { notification, ...android } } })
  const push = (path: string, body: unknown, authorization = 'Bearer ok-test') =>
    http1(simulator, path, { headers: { ...JSON_TYPE, authorization }, body: JSON.stringify(body) })
  const pushV1 = (...call: Parameters<typeof v1>) => push('/v1/1042/messages:send', v1(...call))
  const v3 = (token: string[], changes: object = {}) => ({
    payload: { notification: { category: 'WORK', title: 'Hi', body: 'Text', clickAction: { actionType: 0 } } },
    target: { token },
    ...changes,
  })

  it('v1 says partial success in a JSON string', async () => {
    const { status, json } = await pushV1([...many(998), 'gone-1', 'bad-1'])
    expect([status, json.code]).toEqual([200, '80100000'])
    expect(JSON.parse(json.msg)).toEqual({ success: 998, failure: 2, illegal_tokens: ['gone-1', 'bad-1'] })
    expect((await pushV1(many(2))).json).toMatchObject({ code: '80000000', msg: 'Success' })
    expect((await pushV1(['gone-1'])).json.code).toBe('80300007')
  })

  it('v1 checks counts, sizes and fields', async () => {
    const code = async (...call: Parameters<typeof v1>) => (await pushV1(...call)).json.code
    expect(await code(many(1001))).toBe('80300010')
    expect(await code([])).toBe('80100001')
    expect(await code(many(1000), { notification: { ...notification, body: 'x'.repeat(3900) } })).toBe('80000000')
    expect(await code(['ok-1'], { notification: { ...notification, body: 'x'.repeat(4096) } })).toBe('80300008')
    expect(await code(['ok-1'], { ttl: '86400' })).toBe('80100004')
    expect(await code(['ok-1'], { collapse_key: 101 })).toBe('80100013')
    expect(await code(['ok-1'], { notification: { title: 'Hi' } })).toBe('80100003')
    expect(await code(['refused-1'])).toBe('80100003')
    expect((await pushV1(['busy-1'])).status).toBe(503)
    expect((await pushV1(['error-1'])).json.code).toBe('81000001')
  })

  it('gives OAuth tokens, whose slashes are escaped in the raw answer', async () => {
    const grant = (client_secret: string) =>
      http1(simulator, '/oauth2/v3/token', {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ grant_type: 'client_credentials', client_id: '1042', client_secret }).toString(),
      })
    const granted = await grant('secret')
    expect(granted.text).toContain('\\/')
    const authorization = `Bearer ${granted.json.access_token}`
    expect((await push('/v1/1042/messages:send', v1(['ok-1']), authorization)).json.code).toBe('80000000')
    simulator.revokeTokens('huawei')
    const expired = await push('/v1/1042/messages:send', v1(['ok-1']), authorization)
    expect([expired.status, expired.json.code]).toEqual([401, '80200003'])
    expect((await grant('bad-secret')).status).toBe(403)
    expect((await push('/v1/1042/messages:send', v1(['ok-1']), 'Bearer nobody')).json.code).toBe('80200001')
  })

  it('v3 takes JWTs only and groups the dead tokens by reason', async () => {
    const { privateKey } = rsaKey()
    const aud = 'https://oauth-login.cloud.huawei.com/oauth2/v3/token'
    const token = (seconds: number, algorithm: 'PS256' | 'RS256' = 'PS256') =>
      `Bearer ${jwt(algorithm, { kid: 'k' }, { iss: '1', aud, iat: nowSeconds() - 10, exp: nowSeconds() + seconds }, privateKey)}`
    const pushV3 = async (body: object, authorization = token(3600)) =>
      (await push('/v3/2042/messages:send', body, authorization)).json
    const partial = await pushV3(v3(['ok-1', 'gone-1', 'bad-1', 'refused-1', 'code-appinfoError-1']))
    expect(partial.code).toBe('80100000')
    expect(JSON.parse(partial.msg)).toEqual({
      success: 1,
      failure: 4,
      illegalTokens: {
        noRight: ['gone-1'],
        tokenFormatError: ['bad-1'],
        noPushTypeRight: ['refused-1'],
        appinfoError: ['code-appinfoError-1'],
      },
    })
    expect((await pushV3(v3(['bad-1']))).code).toBe('80300007')
    expect((await pushV3(v3(['ok-1']), token(-1))).code).toBe('80200005')
    expect((await pushV3(v3(['ok-1']), token(100_000))).code).toBe('80300036')
    expect((await pushV3(v3(['ok-1']), token(3600, 'RS256'))).code).toBe('80200001')
    expect((await pushV3(v3(['ok-1'], { pushOptions: { ttl: 0 } }))).code).toBe('80100004')
  })
})

describe('WeCom', () => {
  const getToken = (query = 'corpid=corp1&corpsecret=s1') =>
    http1(simulator, `/cgi-bin/gettoken?${query}`, { method: 'GET' })
  const send = (touser: string[], changes: object = {}, token = 'ok-corp') =>
    http1(simulator, `/cgi-bin/message/send?access_token=${token}`, {
      headers: JSON_TYPE,
      body: JSON.stringify({
        touser: touser.join('|'),
        msgtype: 'text',
        agentid: 7,
        text: { content: 'Hi' },
        ...changes,
      }),
    })

  it('gives the same token again until it expires', async () => {
    const [first, second] = [await getToken(), await getToken()]
    expect(first.json.errcode).toBe(0)
    expect(second.json.access_token).toBe(first.json.access_token)
    expect((await send(['ok-1'], {}, first.json.access_token)).json.errcode).toBe(0)
    simulator.revokeTokens('wecom')
    expect((await send(['ok-1'], {}, first.json.access_token)).json.errcode).toBe(42001)
    expect((await getToken()).json.access_token).not.toBe(first.json.access_token)
    expect((await send(['ok-1'], {}, 'nobody')).json.errcode).toBe(40014)
    expect((await send(['ok-1'], {}, '')).json.errcode).toBe(41001)
    expect((await getToken('corpid=corp1&corpsecret=bad-1')).json.errcode).toBe(40001)
  })

  it('names invalid users in lower case', async () => {
    const { status, json } = await send([...many(997), 'gone-Bob', 'bad-Eve', 'refused-Max'])
    expect([status, json.errcode, json.invaliduser, json.unlicenseduser]).toEqual([
      200,
      0,
      'gone-bob|bad-eve',
      'refused-max',
    ])
    expect(simulator.journal.counts('wecom').accepted).toBe(997)
    expect((await send(['gone-1'])).json.errcode).toBe(81013)
    expect(simulator.journal.requests({ vendor: 'wecom', limit: 1 })[0]?.account).toBe('ok-corp/7')
  })

  it('checks the message', async () => {
    const errcode = async (...call: Parameters<typeof send>) => (await send(...call)).json.errcode
    expect(await errcode(many(1001))).toBe(40032)
    expect(await errcode([])).toBe(82001)
    expect(await errcode(['ok-1'], { agentid: '7' })).toBe(40056)
    expect(await errcode(['ok-1'], { msgtype: 'song' })).toBe(40008)
    expect(await errcode(['ok-1'], { text: { content: '' } })).toBe(44004)
    expect(await errcode(['ok-1'], { msgtype: 'markdown', markdown: { content: 'x'.repeat(2049) } })).toBe(45002)
    expect(await errcode(['busy-1'])).toBe(45009)
    expect(await errcode(['error-1'])).toBe(-1)
    expect(await errcode(['code-60020-1'])).toBe(60020)
  })

  it('drops a repetition of the same bytes when asked to', async () => {
    const check = { enable_duplicate_check: 1, duplicate_check_interval: 60 }
    for (const users of [
      ['ok-1', 'ok-2'],
      ['ok-1', 'ok-2'],
      ['ok-2', 'ok-1'],
    ]) {
      expect((await send(users, check)).json.errcode).toBe(0)
    }
    expect(simulator.journal.counts('wecom')).toMatchObject({ arrivals: 6, accepted: 4, duplicates: 2 })
  })

  it('takes a message again that it did not take the first time', async () => {
    simulator.faults.set({ vendor: 'wecom', kind: '429', count: 1 })
    const check = { enable_duplicate_check: 1 }
    expect((await send(['ok-9'], check)).json.errcode).toBe(45009)
    expect((await send(['ok-9'], check)).json.errcode).toBe(0)
    expect(simulator.journal.counts('wecom').accepted).toBe(1)
  })
})
