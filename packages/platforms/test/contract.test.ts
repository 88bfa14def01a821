import { apnsToken, type VendorName } from '@fanfare/simulator'
import { type ContractCase, platformContract } from '@fanfare/testkit/contracts'
import { type Lab, startLab } from './lab.ts'

const named = (behaviour: string, number: number): string => `${behaviour}-x${number}`

/** Every pusher at the simulator: a new vendor adds its lines here and has its contract. */
const VENDORS: { name: VendorName; token?: (behaviour: string, number: number) => string; cases: ContractCase[] }[] = [
  {
    name: 'fcm',
    cases: [
      { verdict: 'invalid', behaviour: 'gone', becomes: 'invalid', concerns: 'member' },
      { verdict: 'invalid, gated', behaviour: 'foreign', becomes: 'invalid', concerns: 'member' },
      { verdict: 'rejected', behaviour: 'refused', becomes: 'rejected', concerns: 'member' },
      { verdict: 'deferred', behaviour: 'error', becomes: 'deferred', concerns: 'member' },
      { verdict: 'unknown', behaviour: 'rubbish', becomes: 'unknown', concerns: 'member' },
      { verdict: 'busy', behaviour: 'busy', becomes: 'busy', concerns: 'request' },
      { verdict: 'refresh, then channel', behaviour: 'denied', becomes: 'channel', concerns: 'request' },
    ],
  },
  {
    name: 'apns',
    token: apnsToken,
    cases: [
      { verdict: 'invalid', behaviour: 'gone', becomes: 'invalid', concerns: 'member' },
      { verdict: 'invalid, gated', behaviour: 'bad', becomes: 'invalid', concerns: 'member' },
      { verdict: 'rejected', behaviour: 'refused', becomes: 'rejected', concerns: 'member' },
      { verdict: 'deferred, this token only', behaviour: 'busy', becomes: 'deferred', concerns: 'member' },
      { verdict: 'deferred', behaviour: 'down', becomes: 'deferred', concerns: 'member' },
      { verdict: 'unknown', behaviour: 'reset', becomes: 'unknown', concerns: 'member' },
      { verdict: 'busy', behaviour: 'code-TooManyProviderTokenUpdates', becomes: 'busy', concerns: 'request' },
      { verdict: 'channel', behaviour: 'denied', becomes: 'channel', concerns: 'request' },
    ],
  },
  {
    name: 'xiaomi',
    cases: [
      { verdict: 'rejected', behaviour: 'code-10017', becomes: 'rejected', concerns: 'request' },
      { verdict: 'deferred', behaviour: 'error', becomes: 'deferred', concerns: 'request' },
      { verdict: 'unknown', behaviour: 'rubbish', becomes: 'unknown', concerns: 'request' },
      { verdict: 'invalid', behaviour: 'gone', becomes: 'invalid', concerns: 'member' },
      { verdict: 'busy', behaviour: 'busy', becomes: 'busy', concerns: 'request' },
      { verdict: 'the quota of the day', behaviour: 'quota', becomes: 'busy', concerns: 'request' },
      { verdict: 'channel', behaviour: 'denied', becomes: 'channel', concerns: 'request' },
    ],
  },
]

for (const { name, token = named, cases } of VENDORS) {
  let lab: Lab
  platformContract(name, {
    start: async () => {
      lab = await startLab()
      lab.simulator.journal.mode.bodies = false
      return { pusher: await lab.open(name), close: () => lab.close() }
    },
    token,
    accepted: () => {
      const { accepted, duplicates } = lab.simulator.journal.counts()
      return { accepted, duplicates }
    },
    reset: () => lab.simulator.reset(),
    cases,
  })
}
