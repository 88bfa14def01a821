import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bad, refusal } from './refusals.ts'
import { OPERATOR, type TestApi, type TestApp, testApi, timestampless } from './test-api.ts'

let api: TestApi
let app: TestApp

beforeAll(async () => {
  api = await testApi()
  app = await api.app()
})
afterAll(() => api.close())

const unknown = (name: string) =>
  bad('ResourceNotFoundException', 'ResourceNotFoundException', `push label not exists of ${name}`)

describe('push/label', () => {
  it('is created, shown and deleted', async () => {
    const made = await app.call('POST', 'push/label', { name: 'post-90s', description: 'born then' })
    expect(timestampless(made.body)).toEqual({
      data: { name: 'post-90s', description: 'born then', createdAt: expect.any(Number) },
    })
    const shown = await app.call('GET', 'push/label/post-90s')
    expect(timestampless(shown.body)).toEqual({
      data: { name: 'post-90s', description: 'born then', count: 0, createdAt: expect.any(Number) },
    })
    expect(timestampless((await app.call('DELETE', 'push/label/post-90s')).body)).toEqual({ data: 'success' })
    for (const method of ['GET', 'DELETE']) {
      expect(refusal(await app.call(method, 'push/label/post-90s'))).toEqual(unknown('post-90s'))
    }
  })

  it('is case-sensitive and unique', async () => {
    expect((await app.call('POST', 'push/label', { name: 'Aa' })).status).toBe(200)
    expect((await app.call('POST', 'push/label', { name: 'aa' })).status).toBe(200)
    expect(refusal(await app.call('POST', 'push/label', { name: 'aa' }))).toEqual(
      bad('IllegalArgumentException', 'IllegalArgumentException', 'name: push label aa already exists'),
    )
  })

  it.each(['', '.', '..', 'a b', 'é', 'x'.repeat(65), { $gt: '' }, ['a']])('refuses the name %j', async (name) => {
    const reply = await app.call('POST', 'push/label', { name })
    expect(reply.body).toMatchObject({ error: 'IllegalArgumentException' })
    expect(String(reply.body['error_description'])).toMatch(/^name/)
  })

  it('refuses a description of 256 characters', async () => {
    expect((await app.call('POST', 'push/label', { name: 'd', description: 'x'.repeat(256) })).status).toBe(400)
  })

  it('lists the newest first, page by page; the last page has no cursor', async () => {
    const own = await api.app()
    for (const name of ['a', 'b', 'c', 'd', 'e']) await own.call('POST', 'push/label', { name })
    const names: string[] = []
    const sizes: number[] = []
    let cursor: unknown = ''
    while (cursor !== undefined) {
      const { body } = await own.call('GET', `push/label?limit=2&cursor=${String(cursor)}`)
      const page = body['data'] as { name: string }[]
      names.push(...page.map(({ name }) => name))
      sizes.push(page.length)
      cursor = body['cursor']
    }
    expect(names).toEqual(['e', 'd', 'c', 'b', 'a'])
    expect(sizes).toEqual([2, 2, 1])
  })

  it('is limited in number by a setting of the app', async () => {
    const own = await api.app()
    await api.ask('PATCH', `/admin/apps${own.path}`, { token: OPERATOR, body: { maxLabels: 2 } })
    await settled(own)
    expect((await own.call('POST', 'push/label', { name: 'a' })).status).toBe(200)
    expect((await own.call('POST', 'push/label', { name: 'b' })).status).toBe(200)
    expect(refusal(await own.call('POST', 'push/label', { name: 'c' }))).toEqual(
      bad('LimitException', 'LimitException', 'limit request: an app may have 2 labels', 403),
    )
  })
})

describe('push/label/{label}/user', () => {
  it('adds, shows, lists and removes users', async () => {
    await app.call('POST', 'push/label', { name: 'vip' })
    const added = await app.call('POST', 'push/label/vip/user', { usernames: ['hx1', 'HX2', 'hx2', 'hx3'] })
    expect(timestampless(added.body)).toEqual({ data: { success: ['hx1', 'hx2', 'hx3'], fail: {} } })
    expect((await app.call('GET', 'push/label/vip')).body['data']).toMatchObject({ count: 3 })
    const member = await app.call('GET', 'push/label/vip/user/Hx2')
    expect(timestampless(member.body)).toEqual({ data: { username: 'hx2', created: expect.any(Number) } })
    expect(timestampless((await app.call('GET', 'push/label/vip/user/none')).body)).toEqual({ data: {} })
    const removed = await app.call('DELETE', 'push/label/vip/user', { usernames: ['hx1', 'ghost'] })
    expect(timestampless(removed.body)).toEqual({
      data: { success: ['hx1'], fail: { ghost: 'not a member of the label' } },
    })
    const listed = await app.call('GET', 'push/label/vip/user')
    const users = (listed.body['data'] as { username: string }[]).map(({ username }) => username)
    expect(users.sort()).toEqual(['hx2', 'hx3'])
    expect(listed.body).not.toHaveProperty('cursor')
  })

  it('lists page by page with the cursor beside the data', async () => {
    await app.call('POST', 'push/label', { name: 'many' })
    const usernames = Array.from({ length: 25 }, (_, index) => `m${index}`)
    await app.call('POST', 'push/label/many/user', { usernames })
    const found = new Set<string>()
    let cursor: unknown = ''
    while (cursor !== undefined) {
      const { body } = await app.call('GET', `push/label/many/user?limit=10&cursor=${String(cursor)}`)
      for (const { username } of body['data'] as { username: string }[]) found.add(username)
      cursor = body['cursor']
    }
    expect(found.size).toBe(25)
  })

  it('takes 1 to 100 users and refuses names that are none', async () => {
    const usernames = Array.from({ length: 101 }, (_, index) => `u${index}`)
    expect((await app.call('POST', 'push/label/many/user', { usernames })).status).toBe(400)
    expect((await app.call('POST', 'push/label/many/user', { usernames: [] })).status).toBe(400)
    const reply = await app.call('POST', 'push/label/many/user', { usernames: ['ok', { $ne: 1 }] })
    expect(reply.body).toMatchObject({ error_description: 'usernames.1: expected string, received object' })
    expect((await app.call('DELETE', 'push/label/many/user', { usernames: ['a:b'] })).status).toBe(400)
  })

  it('knows no label of another app', async () => {
    const other = await api.app()
    expect(refusal(await other.call('GET', 'push/label/vip/user'))).toEqual(unknown('vip'))
    expect(refusal(await other.call('POST', 'push/label/vip/user', { usernames: ['x'] }))).toEqual(unknown('vip'))
  })
})

/** Settings may be cached for a moment in other processes; in this one they are known at once. */
const settled = (own: TestApp) => own.call('GET', 'push/label')
