import { describe, expect, it } from '@jest/globals'
import { letterOf, mailFor } from '../src/vendors/email/payload.ts'
import {
  ANDROID,
  ANDROID_NOTIFICATION,
  HARMONY_BADGE,
  HARMONY_CLICK,
  HARMONY_NOTIFICATION,
  HARMONY_OPTIONS,
  NOTIFICATION,
  REQUEST,
} from '../src/vendors/huawei/fields.ts'
import { harmonyBody } from '../src/vendors/huawei/harmony.ts'
import { huaweiBody } from '../src/vendors/huawei/payload.ts'
import { wecomBody } from '../src/vendors/wecom/payload.ts'
import { goldenFiles } from './golden.ts'

const HARMONY = [HARMONY_NOTIFICATION, HARMONY_BADGE, HARMONY_CLICK, HARMONY_OPTIONS]
/** Second names of fields, and one that docs/wire-api.md does not name. */
const ALIASES = new Set(['fastAppTarget', 'ttl'])
const CONTEXT = { taskId: '42', ttlMs: 3600_000 }
const join = ({ before, after }: { before: string; after: string }, targets: string): unknown =>
  JSON.parse(before + targets + after)

describe('golden files', () => {
  it.each(goldenFiles('huawei', 'v1-'))('huawei $file', ({ message, context, expected }) => {
    expect(join(huaweiBody(message, { ...CONTEXT, ...context }), '["t1","t2"]')).toEqual(expected)
  })

  it.each(goldenFiles('huawei', 'v3-'))('harmonyOS $file', ({ message, context, pushType, expected }) => {
    const body = harmonyBody(message, { ...CONTEXT, ...context })
    expect(join(body, '["t1","t2"]')).toEqual(expected)
    expect(body.pushType).toBe(pushType)
  })

  it.each(goldenFiles('wecom'))('wecom $file', ({ message, expected }) => {
    expect(join(wecomBody(message, { agentId: 1000002, taskId: '42' }), 'u1|u2')).toEqual(expected)
  })

  it.each(goldenFiles('email'))('email $file', ({ message, expected }) => {
    const from = { name: 'Fanfare', address: 'news@example.com' }
    const delivery = { id: '42-1', address: 'u1@example.com' }
    expect(mailFor(delivery, letterOf(message, from), from)).toEqual(expected)
  })
})

describe('golden files hold every field', () => {
  const tables = { huawei: [REQUEST, NOTIFICATION, ANDROID, ANDROID_NOTIFICATION], harmonyOS: HARMONY }
  it.each(Object.entries(tables))('of %s', (name, fields) => {
    const texts = goldenFiles('huawei').map(({ message }) => JSON.stringify(message[name as 'huawei'] ?? {}))
    const missing = fields.flat().filter(([from]) => !texts.some((text) => text.includes(`"${from}":`)))
    expect(missing.map(([from]) => from).filter((from) => !ALIASES.has(from))).toEqual([])
  })
})
