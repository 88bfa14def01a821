import { notifierBody, until } from '@fanfare/testkit'
import { entryScript } from '../../tools/entries.ts'
import type { Attack } from '../attack.ts'
import { type Attacker, users } from '../ground.ts'

const LINES = 8
const PAUSED = 256
const NOTIFIERS = 600
const WAITING = 3000
const MANY = 20
const USERS = 50
const DEVICES = 300_000
const BROADCASTS = 3
/** So long an attacker tries to fill what can be filled. */
const BUILD_MS = 15_000

const tokenOf = (index: number): string => `ok-attacker-${index}`

type Notifiers = { count: number; secret: string }

/** Up to `count` notifiers with a device each, over as many apps as it takes; what is refused is not made. */
async function notifiers(attackers: readonly Attacker[], { count, secret }: Notifiers): Promise<void> {
  let next = 0
  const line = async () => {
    while (next < count) {
      const number = next++
      const attacker = attackers[number % attackers.length] as Attacker
      const body = { ...notifierBody('xiaomi', `many-${number}`), certificate: `${secret}-${number}` }
      await attacker.call('POST', 'notifiers', { ...body, limits: { rate: 0 } })
    }
  }
  await Promise.all(Array.from({ length: LINES }, line))
  for (const attacker of attackers) {
    const ids = (await attacker.channels()).map(({ id }) => id)
    await attacker.bindEach(ids, tokenOf)
  }
}

/** Pushes to all of an app's notifiers until the breaker has paused them, since the vendor refuses their secrets. */
async function untilPaused(attacker: Attacker): Promise<void> {
  const count = (await attacker.channels()).length
  const paused = async () => {
    await attacker.push('push/single', { targets: users(0, Math.min(count, 100)) })
    return (await attacker.channels()).every(({ pause }) => pause !== undefined) || undefined
  }
  await until('the notifiers are paused', paused, { everyMs: 1000 })
}

/** Broadcasts that cannot be sent, on more notifiers than a platform's window has places. */
export const pausedNotifiers: Attack = {
  name: 'paused-notifiers',
  does: `broadcasts to ${PAUSED} notifiers whose credentials the vendor refuses`,
  without: { apiScript: entryScript('api-unparked'), workerScript: entryScript('worker-unshared-window') },
  async prepare(ground) {
    const names = ['attacker-1', 'attacker-2', 'attacker-3']
    const attackers = await Promise.all(names.map((name) => ground.attacker(name, { lifted: true })))
    await notifiers(attackers, { count: PAUSED, secret: 'bad' })
    await Promise.all(attackers.map(untilPaused))
    const build = async () => {
      for (let round = 0; round < BROADCASTS; round++) {
        for (const attacker of attackers) await attacker.push('push/task')
      }
    }
    return { build }
  },
}

/** One broadcast that has a plan for each of very many notifiers. */
export const manyNotifiers: Attack = {
  name: 'many-notifiers',
  does: `${BROADCASTS} broadcasts to ${NOTIFIERS} notifiers of one app`,
  without: { workerScript: entryScript('worker-one-plan') },
  async prepare(ground) {
    const attacker = await ground.attacker('attacker', { lifted: true })
    await attacker.allow({ maxNotifiers: NOTIFIERS })
    await notifiers([attacker], { count: NOTIFIERS, secret: 'secret' })
    const go = async () => {
      for (let round = 0; round < BROADCASTS; round++) await attacker.push('push/task')
    }
    return { go }
  },
}

/** Plans of very many pages. */
export const largeBroadcasts: Attack = {
  name: 'large-broadcasts',
  does: `plans ${BROADCASTS} broadcasts to ${DEVICES} devices at once`,
  without: { workerScript: entryScript('worker-one-plan') },
  async prepare(ground) {
    const attacker = await ground.attacker('attacker', { lifted: true })
    await attacker.reach('xiaomi', { count: DEVICES, tokenOf })
    const go = async () => {
      for (let round = 0; round < BROADCASTS; round++) await attacker.push('push/task')
    }
    return { go }
  },
}

/** Single pushes that cannot be sent, each to a user on very many notifiers. */
export const waitingSingles: Attack = {
  name: 'waiting-singles',
  does: `up to ${WAITING * MANY} single pushes on ${MANY} notifiers that are paused`,
  without: { apiScript: entryScript('api-unparked'), workerScript: entryScript('worker-unparked') },
  async prepare(ground) {
    const attacker = await ground.attacker()
    await attacker.allow({ maxBacklog: 10 * WAITING * MANY })
    for (let number = 0; number < MANY; number++) {
      const ofNotifier = (user: number) => `ok-attacker-${number}-${user}`
      await attacker.reach('xiaomi', { name: `many-${number}`, count: USERS, tokenOf: ofNotifier })
      await attacker.call('PATCH', `notifiers/many-${number}`, { disabled: true })
    }
    const push = (number: number) => attacker.push('push/single', { targets: [`u${number % USERS}`] })
    const build = async () => {
      const until = performance.now() + BUILD_MS
      let next = 0
      const line = async () => {
        while (next < WAITING && performance.now() < until) await push(next++)
      }
      await Promise.all(Array.from({ length: LINES }, line))
    }
    return { build, go: () => ground.flood(LINES, push) }
  },
}

/** Single pushes that are sent, as fast as they are taken. */
export const singleFlood: Attack = {
  name: 'single-flood',
  does: 'single pushes to 100 users at once, as many as are taken, on all that the victim uses',
  async prepare(ground) {
    const attacker = await ground.attacker()
    await attacker.reach('xiaomi', { count: 100 * USERS, tokenOf })
    const push = (number: number) => {
      const from = (number % USERS) * 100
      return attacker.push('push/single', { targets: users(from, from + 100) })
    }
    return { go: () => ground.flood(LINES, push) }
  },
}
