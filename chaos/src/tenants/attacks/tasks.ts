import type { Attack } from '../attack.ts'
import { users } from '../ground.ts'

const DEVICES = 2000
const SCHEDULES = 100
const START_IN_MS = 3000
const TASK_LINES = 300
const TASK_EVERY_MS = 1000
const LIST_USERS = 10_000
const LIST_EVERY_MS = 200
const LINES = 4
const USER_DEVICES = 2000

const tokenOf = (index: number): string => `ok-attacker-${index}`
const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')

/** Very many tasks that are due in the same second. */
export const schedules: Attack = {
  name: 'schedules',
  does: `${SCHEDULES} broadcasts that start in the same second`,
  async prepare(ground) {
    const attacker = await ground.attacker('attacker', { lifted: true })
    await attacker.reach('xiaomi', { count: DEVICES, tokenOf })
    const build = async () => {
      const startDate = dateOf(Date.now() + START_IN_MS)
      for (let number = 0; number < SCHEDULES; number++) await attacker.push('push/task', { startDate })
    }
    return { build }
  },
}

/** Requests that wait for each other, and tasks that come and go. */
export const taskFlood: Attack = {
  name: 'task-flood',
  does: `asks for ${TASK_LINES} tasks at once, beyond what it may have`,
  async prepare(ground) {
    const attacker = await ground.attacker('attacker')
    await attacker.reach('xiaomi', { count: DEVICES, tokenOf })
    return { go: () => ground.flood(TASK_LINES, () => attacker.push('push/task'), TASK_EVERY_MS) }
  },
}

/** The largest lists there can be, to users most of whom do not exist. */
export const largeLists: Attack = {
  name: 'large-lists',
  does: `lists of ${LIST_USERS} users, one after the other`,
  async prepare(ground) {
    const attacker = await ground.attacker('attacker', { lifted: true })
    await attacker.reach('xiaomi', { count: DEVICES, tokenOf })
    const targets = users(0, LIST_USERS)
    return { go: () => ground.flood(1, () => attacker.push('push/list', { targets }), LIST_EVERY_MS) }
  },
}

/** One user with as many devices as can be bound, and pushes to that user. */
export const manyDevices: Attack = {
  name: 'many-devices',
  does: `binds ${USER_DEVICES} devices to one user and pushes to it`,
  async prepare(ground) {
    const attacker = await ground.attacker()
    await attacker.app.addNotifier('xiaomi', 'attacker-xiaomi')
    const bind = (number: number) =>
      attacker.call('PUT', 'users/u0/push/binding', {
        device_id: `phone-${number}`,
        notifier_name: 'attacker-xiaomi',
        device_token: tokenOf(number),
      })
    const go = () =>
      ground.flood(LINES, async (number) => {
        await bind(number % USER_DEVICES)
        if (number % 10 === 0) await attacker.push('push/single', { targets: ['u0'] })
        if (number % 10 === 5) await attacker.call('GET', 'users/u0/push/binding')
      })
    return { go }
  },
}

/** The dearest questions that can be asked. */
export const reading: Attack = {
  name: 'reading',
  does: 'reads pages, results, labels and bindings as fast as they are answered, with wrong cursors too',
  async prepare(ground) {
    const attacker = await ground.attacker('attacker', { lifted: true })
    await attacker.reach('xiaomi', { count: DEVICES, tokenOf })
    const answer = await attacker.push('push/task')
    const task = `push/task/${String(answer?.headers['fanfare-task-id'])}`
    const paths = [
      'push/tasks?page=100000&size=100',
      task,
      `${task}/results?limit=100`,
      `${task}/results?status=PENDING&limit=100&cursor=x`,
      'push/label?limit=100',
      'notifiers',
      'users/u1/push/binding',
      `push/task/9007199254740991`,
    ]
    return { go: () => ground.flood(LINES, (number) => attacker.call('GET', paths[number % paths.length] as string)) }
  },
}

/** The same key again and again, with the same and with another body. */
export const sameKeys: Attack = {
  name: 'same-keys',
  does: 'repeats Idempotency-Keys at once, with the same and with other bodies',
  async prepare(ground) {
    const attacker = await ground.attacker()
    await attacker.reach('xiaomi', { count: DEVICES, tokenOf })
    const go = () =>
      ground.flood(2 * LINES, async (number) => {
        const key = `key-${Math.floor(number / 10)}`
        const body = { targets: [`u${number % 3}`], pushMessage: { title: 'attack', content: 'an attack' } }
        await attacker.call('POST', 'push/single', body, { headers: { 'idempotency-key': key } })
      })
    return { go }
  },
}
