import type { VendorName } from '@fanfare/simulator'
import type { ContractCase, PlatformHarness } from '@fanfare/testkit/contracts'
import type { PushersOptions } from '../src/index.ts'
import { type Lab, startLab } from './lab.ts'

/** A vendor at the simulator for the contract suite; only tokens and cases differ. */
export function harnessOf(
  platform: VendorName,
  more: Pick<PlatformHarness, 'token' | 'cases'>,
  options: Partial<PushersOptions> = {},
): PlatformHarness {
  let lab: Lab | undefined
  return {
    ...more,
    async start() {
      const started = await startLab()
      started.simulator.journal.mode.bodies = false
      lab = started
      return { pusher: await started.open(platform, { options }), close: () => started.close() }
    },
    reset: () => lab?.simulator.reset(),
    accepted: () => {
      const { accepted = 0, duplicates = 0 } = lab?.simulator.journal.counts(platform) ?? {}
      return { accepted, duplicates }
    },
  }
}

export const byName = (behaviour: string, number: number): string => `${behaviour}-x${number}`

/** All members of the request share the fate. */
export const request = (verdict: string, behaviour: string, becomes: ContractCase['becomes']): ContractCase => ({
  verdict,
  behaviour,
  becomes,
  concerns: 'request',
})

/** Only this member is concerned. */
export const member = (verdict: string, behaviour: string, becomes: ContractCase['becomes']): ContractCase => ({
  verdict,
  behaviour,
  becomes,
  concerns: 'member',
})
