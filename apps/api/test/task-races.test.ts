import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Store } from '@fanfare/core'
import { openStore } from '@fanfare/storage'
import { tempDir } from '@fanfare/testkit'
import { expect, it } from '@jest/globals'
import { parameter, refusal } from './refusals.ts'
import { message, OPERATOR, type TestApi, testApi } from './test-api.ts'

const BROADCAST = { pushMessage: message() }

it('lets 300 at once wait in line in two processes, exactly, and asks the store for the lease a few times', async () => {
  const dir = await tempDir('line')
  const masterKey = randomBytes(32)
  let leases = 0
  const processes = await Promise.all(
    [0, 1].map(async () => {
      const real = await openStore(`sqlite:${dir}/test.db`, { masterKey, sync: 'normal' })
      const lease: Store['lease'] = (...given) => {
        leases++
        return real.lease(...given)
      }
      return testApi({ config: { masterKey }, overrides: { store: { ...real, lease } } })
    }),
  )
  try {
    const [first, second] = processes
    const own = await first?.app()
    if (!first || !second || !own) throw new Error('two processes are needed')
    const limits = { maxRunningTasks: 280, maxTasksPer5Min: 1000 }
    await first.ask('PATCH', `/admin/apps${own.path}`, { token: OPERATOR, body: limits })
    const send = (of: TestApi) => of.ask('POST', `${own.path}/push/task`, { token: own.token, body: BROADCAST })
    await send(second).then(({ body }) => own.call('POST', `push/task/${String(body['data'])}/cancel`))
    leases = 0
    const replies = await Promise.all(
      Array.from({ length: 150 }, () => [first, second])
        .flat()
        .map(send),
    )
    const statuses = replies.map(({ status }) => status)
    expect([200, 403].map((status) => statuses.filter((each) => each === status).length)).toEqual([280, 20])
    expect(leases).toBeLessThan(300)
  } finally {
    await Promise.all(processes.map((each) => each.close()))
    await rm(dir, { recursive: true, force: true })
  }
})

it('changes a canary while the task is scheduled, not once it has started meanwhile', async () => {
  const masterKey = randomBytes(32)
  const dir = await tempDir('canary')
  const real = await openStore(`sqlite:${dir}/test.db`, { masterKey, sync: 'normal' })
  let starts = false
  const update: Store['tasks']['update'] = async (id, change) => {
    if (starts) await real.tasks.update(id, { state: 'planning', ifState: ['scheduled'] })
    return real.tasks.update(id, change)
  }
  const store = { ...real, tasks: { ...real.tasks, update } }
  const other = await testApi({ config: { masterKey }, overrides: { store } })
  try {
    const own = await other.app()
    const startDate = new Date(Date.now() + 3_600_000).toISOString().slice(0, 19).replace('T', ' ')
    const { body } = await own.call('POST', 'push/task', { pushMessage: message(), startDate })
    const patch = (percent: number) =>
      own.call('PATCH', `push/task/${String(body['data'])}`, {
        canary: { percent, maxFailPercent: 1 },
        rate: percent,
      })
    expect((await patch(5)).body['data']).toMatchObject({ canary: { percent: 5, state: 'running' }, rate: 5 })
    starts = true
    expect(refusal(await patch(6))).toEqual(parameter('canary: can be changed only before the task starts'))
    const task = await own.call('GET', `push/task/${String(body['data'])}`)
    expect(task.body['data']).toMatchObject({ state: 'planning', canary: { percent: 5 }, rate: 5 })
  } finally {
    await other.close()
    await rm(dir, { recursive: true, force: true })
  }
})
