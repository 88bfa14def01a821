import { describe, expect, it } from '@jest/globals'
import { letterOf, mailFor } from '../src/email/payload.ts'
import { harmonyBody } from '../src/huawei/harmony.ts'
import { huaweiBody } from '../src/huawei/payload.ts'
import { wecomBody } from '../src/wecom/payload.ts'
import { goldenFiles } from './golden.ts'

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
    const member = { id: '1', token: 'u1@example.com', deliveryId: '42-1' }
    expect(mailFor(member, letterOf(message, from), from)).toEqual(expected)
  })
})
