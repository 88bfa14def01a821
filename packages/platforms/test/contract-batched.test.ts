import type { PlatformName } from '@fanfare/core'
import type { VendorName } from '@fanfare/simulator'
import { type ContractCase, type PlatformHarness, platformContract } from '@fanfare/testkit/contracts'
import { type Lab, startLab } from './lab.ts'

function harnessOf(
  platform: PlatformName & VendorName,
  more: Pick<PlatformHarness, 'token' | 'cases'>,
): PlatformHarness {
  let lab: Lab | undefined
  return {
    ...more,
    async start() {
      const started = await startLab()
      lab = started
      return { pusher: await started.open(platform), close: () => started.close() }
    },
    reset: () => lab?.simulator.reset(),
    accepted: () => {
      const { accepted = 0, duplicates = 0 } = lab?.simulator.journal.counts(platform) ?? {}
      return { accepted, duplicates }
    },
  }
}

const byName = (behaviour: string, number: number): string => `${behaviour}-x${number}`
const request = (verdict: string, behaviour: string, becomes: ContractCase['becomes']): ContractCase => ({
  verdict,
  behaviour,
  becomes,
  concerns: 'request',
})
const LOST: ContractCase[] = [
  request('no answer', 'close', 'unknown'),
  request('a reset', 'reset', 'unknown'),
  request('nonsense', 'rubbish', 'unknown'),
]

platformContract(
  'huawei',
  harnessOf('huawei', {
    token: byName,
    cases: [
      request('80100003', 'refused', 'rejected'),
      request('81000001', 'error', 'deferred'),
      request('HTTP 502', 'html', 'deferred'),
      request('HTTP 503', 'busy', 'busy'),
      request('80300002', 'code-80300002', 'channel'),
      request('80200001', 'denied', 'channel'),
      ...LOST,
    ],
  }),
)

platformContract(
  'wecom',
  harnessOf('wecom', {
    token: byName,
    cases: [
      { verdict: 'unlicenseduser', behaviour: 'refused', becomes: 'rejected', concerns: 'member' },
      request('-1', 'error', 'deferred'),
      request('45009', 'busy', 'busy'),
      request('301002', 'foreign', 'channel'),
      request('40014', 'denied', 'channel'),
      ...LOST,
    ],
  }),
)

const member = (verdict: string, behaviour: string, becomes: ContractCase['becomes']): ContractCase => ({
  verdict,
  behaviour,
  becomes,
  concerns: 'member',
})

platformContract(
  'email',
  harnessOf('email', {
    token: (behaviour, number) => `${byName(behaviour, number)}@example.com`,
    cases: [
      member('RCPT TO 550 5.1.1', 'gone', 'invalid'),
      member('RCPT TO 552', 'refused', 'rejected'),
      member('RCPT TO 451, greylisting', 'busy', 'deferred'),
      member('RCPT TO 530', 'denied', 'channel'),
    ],
  }),
)
