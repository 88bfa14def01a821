import type { Attack } from '../attack.ts'
import { users } from '../ground.ts'

const LINES = 8
/** Just below what a body may have. */
const BODY_CHARS = 250_000

const nested = (depth: number): object => (depth === 0 ? {} : { a: nested(depth - 1) })

const EXTS: readonly object[] = [
  Object.fromEntries(Array.from({ length: 1900 }, (_, index) => [`k${index}`, 'x'.repeat(100)])),
  { one: 'x'.repeat(BODY_CHARS) },
  { list: Array.from({ length: BODY_CHARS / 4 }, () => 1) },
  nested(31),
  nested(2000),
  { ['__proto__x']: Array.from({ length: 1900 }, () => ({ a: [] })) },
]

/** Bodies that cost as much to read as a body can. */
export const giantExt: Attack = {
  name: 'giant-ext',
  does: 'pushes with ext objects as large, wide and deep as a body can hold',
  async prepare(ground) {
    const attacker = await ground.attacker()
    const push = (number: number) =>
      attacker.push('push/single', {
        targets: users(0, 100),
        pushMessage: { title: 'attack', content: 'an attack', ext: EXTS[number % EXTS.length] },
      })
    return { go: () => ground.flood(LINES, push) }
  },
}

/** Tokens that are no tokens, of other apps, and of nobody. */
export const bearerFlood: Attack = {
  name: 'bearer-flood',
  does: 'requests with forged, foreign and endless bearer tokens',
  async prepare(ground) {
    const attacker = await ground.attacker()
    const [head = '', claims = '', signature = ''] = attacker.app.token.split('.')
    const tokens = ['x', `${head}.${claims}.${signature.slice(1)}A`, `${head}.e30.${signature}`, 'y'.repeat(12_000)]
    const once = (number: number) => {
      const token = tokens[number % tokens.length] as string
      const path = number % 2 === 0 ? `/tenants/app-${number}/push/single` : '/tenants/victim/push/single'
      return attacker.call('POST', '', { targets: ['u1'] }, { path, token })
    }
    return { go: () => ground.flood(LINES, once) }
  },
}
