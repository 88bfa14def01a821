import { type Chunk, type NewChunk, type Outcome, type PlanContext, plan, SENTENCES, type Task } from '@fanfare/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, tokens, until } from './rig.ts'

jest.setTimeout(60_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

function planner(holder: string, over: Partial<PlanContext> = {}): PlanContext {
  const enqueue: PlanContext['enqueue'] = (items) => rig.jobs.enqueue(items)
  const nothing = { enqueuePlan: async () => undefined, onPage: () => undefined }
  const { store, log } = rig
  const { signal } = new AbortController()
  return { store, log, holder, enqueue, ...nothing, signal, pageSize: 2000, ...over }
}

const chunksOf = (taskId: string): Promise<Chunk[]> => rig.store.chunks.ofTask(taskId, { limit: 10_000 })

/** The device ids of all chunks of a task, sorted; a device in two chunks stands there twice. */
async function planned(taskId: string): Promise<string[]> {
  const chunks = await chunksOf(taskId)
  return chunks.flatMap((chunk) => chunk.members.map((member) => member.deviceId ?? '')).sort()
}

describe('planning', () => {
  it.each([0, 1, 999, 1000, 1001, 2500])('puts each of %i devices into one chunk', async (count) => {
    const channel = await rig.channel('xiaomi')
    const devices = await rig.devices(channel, tokens(`ok-plan${count}`, count))
    const task = await rig.broadcast(channel.appId)
    await plan(planner('one', { pageSize: 1000 }), task)
    expect(await planned(task)).toEqual([...devices].sort())
    expect((await chunksOf(task)).length).toBe(Math.ceil(count / 1000))
    expect((await rig.task_(task))?.state).toBe(count === 0 ? 'done' : 'sending')
  })

  it('does the same once where several workers plan at once, and nothing when asked again', async () => {
    const channel = await rig.channel('xiaomi')
    const devices = await rig.devices(channel, tokens('ok-many', 5000))
    const task = await rig.broadcast(channel.appId)
    const planners = ['a', 'b', 'c', 'd'].map((holder) => planner(holder, { pageSize: 1000 }))
    await Promise.all(planners.map((each) => plan(each, task)))
    await plan(planner('late'), task)
    expect(await planned(task)).toEqual([...devices].sort())
    expect((await rig.task_(task))?.state).toBe('sending')
  })

  it('goes on where a planner was killed, wherever that was', async () => {
    const channel = await rig.channel('fcm')
    const devices = await rig.devices(channel, tokens('ok-killed', 6000))
    const task = await rig.broadcast(channel.appId)
    const points: string[] = []
    for (let life = 0; (await rig.task_(task))?.state !== 'sending'; life++) {
      const killed = new Promise<never>((_, reject) => {
        let steps = 0
        const at = (point: string): Promise<never> | undefined => {
          if (steps++ < life % 3) return undefined
          points.push(point)
          reject(new Error('killed'))
          return new Promise(() => undefined)
        }
        void plan(planner(`life ${life}`, { pageSize: 1000, at: at as NonNullable<PlanContext['at']> }), task).then(
          () => reject(new Error('ended')),
          reject,
        )
      })
      await killed.catch(() => undefined)
      for (const lease of [`plan:${task}`, `plan:${task}:0`]) await rig.store.lease(lease, `life ${life}`, 0)
    }
    expect(new Set(points)).toEqual(new Set(['before-plan', 'before-page', 'after-page']))
    expect(await planned(task)).toEqual([...devices].sort())
  })

  it('is closed by the next planner where one died behind its last page', async () => {
    const channel = await rig.channel('xiaomi')
    await rig.devices(channel, tokens('ok-last', 10))
    const task = await rig.broadcast(channel.appId)
    const at = (point: string) => (point === 'after-page' ? Promise.reject(new Error('killed')) : undefined)
    await expect(plan(planner('one', { at: at as NonNullable<PlanContext['at']> }), task)).rejects.toThrow('killed')
    expect((await rig.task_(task))?.state).toBe('planning')
    await plan(planner('one'), task)
    expect((await rig.task_(task))?.state).toBe('sending')
  })

  it('leaves out devices that were bound after the task started', async () => {
    const channel = await rig.channel('xiaomi')
    const before = await rig.devices(channel, tokens('ok-before', 1500))
    const task = await rig.broadcast(channel.appId)
    let bound = false
    const at = async (point: string) => {
      if (point !== 'after-page' || bound) return
      bound = true
      await rig.devices(channel, tokens('ok-after', 10))
    }
    await plan(planner('one', { pageSize: 1000, at }), task)
    expect(await planned(task)).toEqual([...before].sort())
  })

  it('reaches the members of all labels, and users by name, with a reason for those it cannot reach', async () => {
    const channel = await rig.channel('xiaomi')
    const devices = await rig.devices(channel, tokens('ok-labelled', 30))
    const users = devices.map((device) => `user-${device}`)
    for (const [name, from, to] of [
      ['red', 0, 20],
      ['big', 10, 30],
    ] as const) {
      const label = await rig.store.labels.insert(
        { id: await rig.id(), appId: channel.appId, name, description: '' },
        100,
      )
      if (typeof label === 'string') throw new Error(label)
      await rig.store.labels.addUsers(label.id, users.slice(from, to))
    }
    const labelled = await rig.broadcast(channel.appId, { audience: { kind: 'labels', allOf: ['red', 'big'] } })
    await rig.store.devices.unbind(channel.appId, users[15] ?? '', 'phone')
    await plan(planner('one'), labelled)
    const chunks = await chunksOf(labelled)
    const reached = chunks.filter((chunk) => chunk.channelId === channel.id).flatMap((chunk) => chunk.members)
    const expected = devices.slice(10, 20).filter((_, index) => index !== 5)
    expect(reached.map((member) => member.deviceId)).toEqual(expected)
    expect(await rig.counts(labelled)).toEqual({ unsent: 9, rejected: 1 })

    await rig.store.devices.unbind(channel.appId, users[0] ?? '', 'phone')
    const userIds = [...users.slice(0, 3), 'nobody']
    const named = await rig.broadcast(channel.appId, { audience: { kind: 'users', userIds } })
    await plan(planner('one'), named)
    const unreached = (await chunksOf(named)).find((chunk) => chunk.channelId === undefined)
    expect(unreached?.reasons).toEqual({ 'no push binding': [0], [SENTENCES.noUser]: [1] })
    expect(await rig.counts(named)).toEqual({ unsent: 2, rejected: 2 })
  })
})

describe('a broadcast through the worker', () => {
  it('reaches every device on every channel once', async () => {
    const xiaomi = await rig.channel('xiaomi')
    const fcm = await rig.channel('fcm', { appId: xiaomi.appId })
    await rig.devices(xiaomi, tokens('ok-x', 4500))
    await rig.devices(fcm, tokens('ok-f', 1500))
    await rig.worker({}, { planPageSize: 1000 })
    const task = await rig.broadcast(xiaomi.appId)
    await rig.jobs.enqueuePlan(task)
    expect(await rig.outcomes(task, 40_000)).toEqual({ sent: 6000 })
    expect(rig.simulator.journal.counts()).toMatchObject({ accepted: 6000, duplicates: 0 })
  })

  it('does not keep the list of another app from being planned, however many ranges it has', async () => {
    const appId = await rig.app()
    for (let count = 0; count < 150; count++) {
      const channel = await rig.channel('xiaomi', { appId })
      await rig.devices(channel, [`ok-range-${count}`])
    }
    const other = await rig.channel('xiaomi')
    const [device = ''] = await rig.devices(other, ['ok-list-one'])
    const many = await rig.broadcast(appId)
    const userIds = [`user-${device}`]
    const list = await rig.broadcast(other.appId, { audience: { kind: 'users', userIds } })
    let asked = false
    const at = async (point: string) => {
      if (point !== 'after-page' || asked) return
      asked = true
      await rig.jobs.enqueuePlan(list)
    }
    await rig.worker({ at })
    await rig.jobs.enqueuePlan(many)
    let left = Number.NaN
    await until('the list is planned', async () => {
      const planned = (await rig.task_(list))?.plan?.complete === true
      left = (await rig.task_(many))?.plan?.ranges.filter((range) => !range.done).length ?? 150
      return planned
    })
    expect(left).toBeGreaterThan(75)
    expect(await rig.outcomes(list)).toEqual({ sent: 1 })
    expect(await rig.outcomes(many, 40_000)).toEqual({ sent: 150 })
  })

  it('is planned by the sweeper where its plan job was lost, and started when it is due', async () => {
    const channel = await rig.channel('xiaomi')
    await rig.devices(channel, tokens('ok-due', 10))
    const startsAt = new Date(Date.now() + 1500)
    const task = await rig.broadcast(channel.appId, { state: 'scheduled', startsAt })
    await rig.worker()
    expect(await rig.outcomes(task)).toEqual({ sent: 10 })
    expect(Date.now()).toBeGreaterThanOrEqual(startsAt.getTime())
    const first = rig.simulator.journal.arrivalsOf('xiaomi', 'ok-due-0')[0]
    expect(first).toBeDefined()
  })

  it('stops within two seconds when it is paused, goes on when resumed and ends when cancelled', async () => {
    const channel = await rig.channel('fcm', { limits: { rate: 500, unit: 'token', perMs: 1000 } })
    await rig.devices(channel, tokens('ok-pause', 4000))
    await rig.worker()
    const task = await rig.broadcast(channel.appId)
    await rig.jobs.enqueuePlan(task)
    const sent = () => rig.simulator.journal.counts('fcm').accepted
    await until('it runs', () => sent() > 200)
    await rig.store.tasks.update(task, { state: 'paused', ifState: ['planning', 'sending'] })
    await new Promise((resolve) => setTimeout(resolve, 2000))
    const paused = sent()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(sent()).toBe(paused)
    await rig.store.tasks.update(task, { state: 'sending', ifState: ['paused'] })
    await until('it goes on', () => sent() > paused + 200)
    await rig.cancel(task)
    await new Promise((resolve) => setTimeout(resolve, 2000))
    const cancelled = sent()
    await until('all is counted', async () => {
      const counts = await rig.counts(task)
      return (counts.sent ?? 0) === sent() && (counts.sent ?? 0) + (counts.cancelled ?? 0) === 4000
    })
    expect(sent()).toBe(cancelled)
    expect(cancelled).toBeLessThan(4000)
  })

  it('keeps to the rate of its own', async () => {
    const channel = await rig.channel('xiaomi')
    await rig.devices(channel, tokens('ok-rate', 400))
    await rig.worker()
    const began = performance.now()
    const task = await rig.broadcast(channel.appId, { rate: 200 })
    await rig.jobs.enqueuePlan(task)
    expect(await rig.outcomes(task)).toEqual({ sent: 400 })
    expect(performance.now() - began).toBeGreaterThan(900)
  })
})

describe('a canary', () => {
  const canary = { percent: 10, maxFailPercent: 20, state: 'running' } as const
  const stateOf = async (task: string): Promise<Task['canary']> => (await rig.task_(task))?.canary

  it('lets the rest go when it went well', async () => {
    const channel = await rig.channel('xiaomi')
    await rig.devices(channel, tokens('ok-canary', 2500))
    await rig.worker()
    const task = await rig.broadcast(channel.appId, { canary })
    await rig.jobs.enqueuePlan(task)
    expect(await rig.outcomes(task)).toEqual({ sent: 2500 })
    expect((await chunksOf(task)).map((chunk) => chunk.members.length)).toEqual([250, 1000, 1000, 250])
    expect((await stateOf(task))?.state).toBe('passed')
  })

  it('is judged on all its chunks, however many they are', async () => {
    const { id: channelId, appId } = await rig.channel('xiaomi')
    const chunk = (seq: number, outcome: Outcome): NewChunk => {
      const members = Array.from({ length: 1000 }, (_, index) => ({ deviceId: String(1 + seq * 1000 + index) }))
      const outcomes = members.map(() => outcome)
      return { seq, channelId, members, outcomes, state: outcome === 'unsent' ? 'waiting' : 'done' }
    }
    const task = await rig.draft(appId, {
      ...{ lane: 'bulk', state: 'sending', canary },
      plan: {
        upToDeviceId: '9007199254740991',
        ranges: [{ channelId, seqBase: 0, cursor: '651000', planned: 651_000, done: true, canary: 650_000 }],
        complete: true,
      },
    })
    const chunks = Array.from({ length: 651 }, (_, seq) =>
      chunk(seq, seq < 500 ? 'sent' : seq < 650 ? 'rejected' : 'unsent'),
    )
    await rig.store.tasks.create([{ task, chunks }])
    await rig.worker()
    await until('it is held', async () => (await stateOf(task.id))?.state === 'held')
    expect(rig.logged.find(({ alert }) => alert === 'canary')).toMatchObject({ members: 650_000 })
    expect((await chunksOf(task.id)).at(-1)?.state).toBe('waiting')
  })

  it('holds the rest when too many failed', async () => {
    const channel = await rig.channel('xiaomi')
    await rig.devices(channel, [...tokens('gone-canary', 100), ...tokens('ok-rest', 900)])
    await rig.worker()
    const task = await rig.broadcast(channel.appId, { canary })
    await rig.jobs.enqueuePlan(task)
    await until('it is held', async () => (await stateOf(task))?.state === 'held')
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(await rig.counts(task)).toMatchObject({ unsent: 900 })
  })
})
