import { readdirSync, readFileSync } from 'node:fs'
import type { Message } from '@fanfare/core'
import { describe, expect, it } from '@jest/globals'
import { apnsRequest } from '../src/vendors/apns/payload.ts'
import { fcmRequest } from '../src/vendors/fcm/payload.ts'
import { xiaomiForm } from '../src/vendors/xiaomi/payload.ts'

type Fixture = { message: Message; expected: unknown }

const MAKERS: Record<string, (message: Message) => unknown> = {
  fcm: (message) => fcmRequest(message, { taskId: '42', ttlSeconds: 3600, expiresAtSeconds: 1_700_003_600 }),
  xiaomi: (message) => xiaomiForm(message, { taskId: '42', ttlMs: 3_600_000, packageName: 'com.example.app' }),
  apns: (message) => {
    const at = { nowMs: 1_700_000_000_000, expiresAtMs: 1_700_003_600_000 }
    const { payload, ...rest } = apnsRequest(message, { taskId: '42', bundleId: 'com.example.app', ...at })
    return { ...rest, payload: JSON.parse(payload) as unknown }
  },
}

describe.each(Object.keys(MAKERS))('payloads of %s', (vendor) => {
  const folder = new URL(`../src/vendors/${vendor}/fixtures/`, import.meta.url)
  it.each(readdirSync(folder))('%s', (file) => {
    const { message, expected } = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Fixture
    const before = structuredClone(message)
    expect(MAKERS[vendor]?.(message)).toEqual(expected)
    expect(message).toEqual(before)
  })
})

describe('payloads', () => {
  it.each(['google.x', 'gcm', 'from', 'message_type'])('of FCM refuse the data key %s', (key) => {
    expect(() => MAKERS['fcm']?.({ title: 't', content: 'c', fcmV1: { data: { [key]: 'v' } } })).toThrow('is reserved')
  })

  it('of FCM count what each platform receives, in bytes', () => {
    const message = (length: number) => ({ title: 't', content: 'ü'.repeat(length) })
    expect(() => MAKERS['fcm']?.(message(1900))).not.toThrow()
    expect(() => MAKERS['fcm']?.(message(2100))).toThrow('bytes of payload')
  })

  it('of APNs allow 5,120 bytes to VoIP pushes', () => {
    const apns = { pushType: 'voip', content: 'x'.repeat(4500) }
    expect(() => MAKERS['apns']?.({ title: 't', content: 'c', apns })).not.toThrow()
  })
})
