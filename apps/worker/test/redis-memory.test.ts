import { type Connection, connect } from '@fanfare/redis'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { Rig, tokens, until } from './rig.ts'

jest.setTimeout(60_000)

let rig: Rig
let client: Connection
beforeAll(async () => {
  rig = await Rig.start()
  client = connect(rig.redis.url, 'endless')
  await rig.redis.onMasters('CONFIG', 'SET', 'maxmemory', '40mb')
})
afterAll(async () => {
  client.disconnect()
  await rig.stop()
})

it('plans nothing while 70 % of Redis is taken, sends single pushes, and goes on when there is room (T16)', async () => {
  const channel = await rig.channel('xiaomi')
  const [device = ''] = await rig.devices(channel, tokens('ok-room', 3000))
  await client.setrange('filler', 29 * 2 ** 20, 'x')
  await rig.worker()
  await until('it is said', async () => rig.logged.some(({ alert }) => alert === 'redis-memory'))
  const task = await rig.broadcast(channel.appId)
  await rig.jobs.enqueuePlan(task)
  const single = await rig.task(channel, [device])
  await rig.enqueue(channel, [single])
  expect(await rig.outcomes(single)).toEqual({ sent: 1 })
  expect((await rig.task_(task))?.plan).toBeUndefined()
  await client.del('filler')
  expect(await rig.outcomes(task)).toEqual({ sent: 3000 })
})
