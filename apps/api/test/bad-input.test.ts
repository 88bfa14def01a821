import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parameter, refusal, type Watch, watch, wrongMessage } from './refusals.ts'
import { bindUsers, message, OPERATOR, type TestApi, type TestApp, testApi } from './test-api.ts'

let api: TestApi
let app: TestApp
let before: Awaited<ReturnType<Watch>>
const LABEL = 'members'

beforeAll(async () => {
  api = await testApi()
  app = await api.app()
  await bindUsers(app, { test1: 'ok-1' })
  await app.call('POST', 'push/label', { name: LABEL })
  before = await watch(api)()
})
afterAll(() => api.close())

/** Nothing was stored and nothing queued since the start: every row of these tables is refused. */
const expectNothingHappened = async () => expect(await watch(api)()).toEqual(before)

describe('operators, types and names (T94, T95)', () => {
  const named = 'must be 1 to 64 of A-Z a-z 0-9 _ . - and begin with a letter or digit'
  const badSingles: [string, object, object][] = [
    ['an operator as target', { targets: [{ $gt: '' }] }, parameter('targets.0: expected string, received object')],
    ['an operator as targets', { targets: { $where: '1' } }, parameter('targets: expected array, received object')],
    ['a list as target', { targets: [['test1']] }, parameter('targets.0: expected string, received array')],
    ['no targets', {}, parameter('targets: expected array, received undefined')],
    ['empty targets', { targets: [] }, parameter('targets: Too small: expected array to have >=1 items')],
    ['NUL in a target', { targets: ['a\0b'] }, parameter(`targets.0: ${named}`)],
    ['a path as target', { targets: ['../x'] }, parameter(`targets.0: ${named}`)],
    ['a colon in a target', { targets: ['a:b'] }, parameter(`targets.0: ${named}`)],
    ['a hash in a target', { targets: ['a#b'] }, parameter(`targets.0: ${named}`)],
    ['a dollar in a target', { targets: ['$where'] }, parameter(`targets.0: ${named}`)],
    ['async as text', { targets: ['test1'], async: 'false' }, parameter('async: expected boolean, received string')],
    ['strategy 5', { targets: ['test1'], strategy: 5 }, parameter('strategy: Too big: expected number to be <=4')],
    [
      'onUnknown',
      { targets: ['test1'], onUnknown: 'maybe' },
      parameter('onUnknown: Invalid option: expected one of "resend"|"drop"'),
    ],
  ]
  it.each(badSingles)('refuses %s', async (_name, body, expected) => {
    const reply = await app.call('POST', 'push/single', { pushMessage: message(), ...body })
    expect(refusal(reply)).toEqual(expected)
    await expectNothingHappened()
  })

  it('refuses more than one user in a synchronous push', async () => {
    const body = { targets: ['test1', 'test2'], async: false, pushMessage: message() }
    expect(refusal(await app.call('POST', 'push/single', body))).toEqual(
      parameter('targets: a synchronous push takes exactly one user, 2 were given'),
    )
    await expectNothingHappened()
  })

  const paths: [string, string, string, number][] = [
    ['GET', 'users/a%00b/push/binding', 'NUL in a user', 400],
    ['GET', 'users/%2e%2e%2fx/push/binding', 'a path as user', 400],
    ['GET', 'push/label/%7B%22$gt%22:%22%22%7D', 'an operator as label', 400],
    ['GET', 'push/label/a%23b', 'a hash in a label', 400],
    ['POST', 'push/sync/a:b', 'a colon in a target', 400],
    ['POST', 'push/async/%E0%A4%A', 'an URL that cannot be decoded', 404],
    ['GET', 'push/label?limit=1&limit=2', 'a list in the query', 400],
    ['GET', 'push/label?cursor[$gt]=', 'an operator in the query', 400],
    ['GET', 'push/label?limit=0', 'limit 0', 400],
    ['GET', 'push/label?limit=101', 'limit 101', 400],
    ['GET', 'push/label?cursor=abc', 'a foreign cursor', 400],
    ['GET', 'push/tasks?page=-1', 'page -1', 400],
    ['GET', 'push/tasks?size=1e2', 'size 1e2', 400],
  ]
  it.each(paths)('%s %s: %s', async (method, path, _name, status) => {
    const body = method === 'POST' ? { pushMessage: message() } : undefined
    expect((await app.call(method, path, body)).status).toBe(status)
    await expectNothingHappened()
  })

  /** What is no place of a page, in the envelope of a cursor of this API. */
  const forged = (place: string) =>
    Buffer.from(`fanfare:cursor:${Buffer.from(place).toString('base64url')}`).toString('base64url')
  const places = [
    '[{"$gt":""}]',
    '[{}]',
    '[null]',
    '[true]',
    '[[1]]',
    '[1,2]',
    '[]',
    '{}',
    '"x"',
    '1',
    'x',
    '[1.5]',
    '[1e99]',
  ]

  it.each(places)('refuses a cursor that holds %s', async (place) => {
    const expected = parameter('cursor: was not given by this API')
    expect(refusal(await app.call('GET', `push/label?cursor=${forged(place)}`))).toEqual(expected)
    await expectNothingHappened()
    const users = `push/label/${LABEL}/user`
    expect(refusal(await app.call('GET', `${users}?cursor=${forged(place)}`))).toEqual(expected)
  })

  it('refuses a cursor of another list', async () => {
    const expected = parameter('cursor: was not given by this API')
    expect(refusal(await app.call('GET', `push/label?cursor=${forged('["test1"]')}`))).toEqual(expected)
    expect(refusal(await app.call('GET', `push/label/${LABEL}/user?cursor=${forged('[1]')}`))).toEqual(expected)
  })

  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty', 'online'])(
    'knows no provider %s',
    async (provider) => {
      const reply = await app.call('POST', 'notifiers', { name: 'n', provider, certificate: 'c' })
      const known = 'APNS, ANDROID, FCM, XIAOMIPUSH, HUAWEIPUSH, EMAIL, WECOM'
      expect(refusal(reply)).toEqual(parameter(`provider: must be one of ${known}`))
      await expectNothingHappened()
    },
  )

  it.each(['..%2fx/app', 'demo/a%00b', 'demo/%23', '%24where/x', 'demo/a:b'])('knows no app %s', async (where) => {
    const reply = await api.ask('POST', `/${where}/push/single`, { token: app.token, body: {} })
    expect(reply.status).toBe(404)
    expect(reply.body).toMatchObject({ error: 'organization_application_not_found' })
  })
})

describe('messages (T96, T97 and their limits)', () => {
  const send = (pushMessage: unknown) => app.call('POST', 'push/single', { targets: ['test1'], pushMessage })
  const long = (field: string, max: number, has: number) =>
    wrongMessage(`${field}: must be at most ${max} characters, a Han character counts 2; it has ${has}`)

  const badMessages: [string, unknown, object][] = [
    ['no message', undefined, wrongMessage('pushMessage: expected object, received undefined')],
    ['no title', { content: 'c' }, wrongMessage('pushMessage.title: expected string, received undefined')],
    [
      'an operator as title',
      message({ title: { $gt: '' } }),
      wrongMessage('pushMessage.title: expected string, received object'),
    ],
    ['a blank title', message({ title: ' \n' }), wrongMessage('pushMessage.title: must not be blank')],
    ['a title of 33', message({ title: 'x'.repeat(33) }), long('pushMessage.title', 32, 33)],
    ['a title of 17 Han', message({ title: '订'.repeat(17) }), long('pushMessage.title', 32, 34)],
    ['64 KB of emoji', message({ title: '😀'.repeat(16_384) }), long('pushMessage.title', 32, 16_384)],
    ['content of 101', message({ content: 'x'.repeat(101) }), long('pushMessage.content', 100, 101)],
    [
      'content as list',
      message({ content: ['x'] }),
      wrongMessage('pushMessage.content: expected string, received array'),
    ],
    ['subTitle of 11', message({ subTitle: 'x'.repeat(11) }), long('pushMessage.subTitle', 10, 11)],
    ['sub_title of 11', message({ sub_title: 'x'.repeat(11) }), long('pushMessage.subTitle', 10, 11)],
    [
      '11 pairs of ext',
      message({ ext: Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`k${i}`, i])) }),
      wrongMessage('pushMessage.ext: must have at most 10 pairs'),
    ],
    ['1,025 characters of ext', message({ ext: { a: 'x'.repeat(1017) } }), long('pushMessage.ext', 1024, 1025)],
    ['ext as list', message({ ext: [] }), wrongMessage('pushMessage.ext: expected object')],
    ['a vendor object as text', message({ xiaomi: 'x' }), wrongMessage('pushMessage.xiaomi: expected object')],
    [
      'an operator in a vendor object',
      message({ xiaomi: { title: { $gt: '' } } }),
      wrongMessage('pushMessage.xiaomi.title: expected string, received object'),
    ],
    ['a Xiaomi title of 51', message({ xiaomi: { title: 'x'.repeat(51) } }), long('pushMessage.xiaomi.title', 50, 51)],
    [
      'a Xiaomi description of 65 Han',
      message({ xiaomi: { description: '件'.repeat(65) } }),
      long('pushMessage.xiaomi.description', 128, 130),
    ],
    [
      'a WeCom title of 129 bytes',
      message({ wecom: { title: 'x'.repeat(129) } }),
      wrongMessage('pushMessage.wecom.title: must be at most 128 bytes; it has 129'),
    ],
    [
      'a WeCom description of 513 bytes',
      message({ wecom: { description: '件'.repeat(171) } }),
      wrongMessage('pushMessage.wecom.description: must be at most 512 bytes; it has 513'),
    ],
    [
      'CRLF in a mail subject',
      message({ email: { subject: 'a\r\nBcc: evil' } }),
      wrongMessage('pushMessage.email.subject: must be one line'),
    ],
    [
      'a badge in words',
      message({ config: { badge: { addNum: 'one' } } }),
      wrongMessage('pushMessage.config.badge.addNum: expected number'),
    ],
    [
      'a priority as list',
      message({ apns: { priority: [5] } }),
      wrongMessage('pushMessage.apns.priority: expected number'),
    ],
  ]
  it.each(badMessages)('refuses %s', async (_name, pushMessage, expected) => {
    expect(refusal(await send(pushMessage))).toEqual(expected)
    await expectNothingHappened()
  })
})

describe('CRLF and lists where names and addresses are wanted (T95, T97)', () => {
  it.each(['a\r\nb', 'a b', '', '../x', `x${'y'.repeat(64)}`])('refuses the notifier name %j', async (name) => {
    const body = { name, provider: 'XIAOMIPUSH', certificate: 'secret', packageName: 'com.example.app' }
    const reply = await app.call('POST', 'notifiers', body)
    expect(refusal(reply)).toEqual(
      parameter('name: must be 1 to 64 of A-Z a-z 0-9 _ . # @ - and begin with a letter or digit'),
    )
    await expectNothingHappened()
  })

  it.each([
    ['app_name', '../x'],
    ['app_name', 'a\0b'],
    ['app_name', 'a:b'],
    ['org_name', 'a#b'],
    ['org_name', { $gt: '' }],
  ])('refuses the app %s %j', async (field, value) => {
    const body = { org_name: 'org', app_name: 'app', [field]: value }
    const reply = await api.ask('POST', '/admin/apps', { token: OPERATOR, body })
    expect(reply.status).toBe(400)
    expect(reply.headers.get('content-type')).toBe('application/problem+json')
    expect(reply.body).toMatchObject({ type: 'urn:fanfare:error:BAD_PARAMETER', status: 400, instance: '/admin/apps' })
    expect(String(reply.body['detail'])).toMatch(new RegExp(`^${field}: `))
  })
})
