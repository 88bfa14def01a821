import type { Attack } from '../attack.ts'

const DEVICES = 2000
const TASK_LINES = 300
const TASK_EVERY_MS = 1000
const LINES = 4

const tokenOf = (index: number): string => `ok-attacker-${index}`

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
