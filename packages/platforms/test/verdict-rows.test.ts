import { BusyError, ChannelError, type Pusher } from '@fanfare/core'
import { apnsToken } from '@fanfare/simulator'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { rowsByCode, type VerdictClass, type VerdictTable } from '../src/index.ts'
import { APNS_VERDICTS } from '../src/vendors/apns/verdicts.ts'
import { FCM_VERDICTS } from '../src/vendors/fcm/verdicts.ts'
import { XIAOMI_VERDICTS } from '../src/vendors/xiaomi/verdicts.ts'
import { batchOf, type Lab, never, startLab } from './lab.ts'

type Vendor = { name: 'fcm' | 'apns' | 'xiaomi'; table: VerdictTable; token(code: string, number: number): string }

/** How the simulator calls what our table calls otherwise. */
const FCM_NAMES: Record<string, string> = {
  'INVALID_ARGUMENT token': 'TOKEN_FIELD',
  INVALID_ARGUMENT: 'FIELD',
  RESOURCE_EXHAUSTED: 'QUOTA_EXCEEDED',
}

const VENDORS: Vendor[] = [
  { name: 'fcm', table: FCM_VERDICTS, token: (code, number) => `code-${FCM_NAMES[code] ?? code}-${number}` },
  { name: 'apns', table: APNS_VERDICTS, token: (code, number) => apnsToken(`code-${code}`, number) },
  { name: 'xiaomi', table: XIAOMI_VERDICTS, token: (code, number) => `code-${code.replace('-', 'n')}-${number}` },
]

describe.each(VENDORS)('every row of the verdict table of $name', ({ name, table, token }) => {
  let lab: Lab
  let pusher: Pusher
  let count = 0
  beforeAll(async () => {
    lab = await startLab()
    pusher = await lab.open(name)
  })
  afterAll(() => lab.close())

  const rows = [...rowsByCode(table)].filter(([code]) => name !== 'xiaomi' || code !== '20301')
  it.each(rows.map(([code, row]) => [code, row.outcome] as const))('%s is %s', async (code, outcome) => {
    const pending = pusher.push(batchOf([token(code, ++count)]), never)
    await expectClass(pending, outcome)
  })
})

async function expectClass(pending: ReturnType<Pusher['push']>, is: VerdictClass): Promise<void> {
  if (is === 'channel' || is === 'refresh') return expect(pending).rejects.toBeInstanceOf(ChannelError)
  if (is === 'busy') return expect(pending).rejects.toBeInstanceOf(BusyError)
  if (is === 'quotaDay') return expect(pending).rejects.toMatchObject({ name: 'BusyError', quotaDay: true })
  const [result] = await pending
  expect(result).toMatchObject(is === 'invalidGated' ? { outcome: 'invalid', gated: true } : { outcome: is })
  if (is === 'invalid') expect(result).not.toHaveProperty('gated')
}
