import type { FleetOptions } from '@fanfare/testkit'
import type { Ground } from './ground.ts'

/** What one tenant does to hurt another. */
export type Attack = {
  name: string
  /** In a few words, for who reads along. */
  does: string
  /** Settings of the services for this attack. */
  env?: Readonly<Record<string, string>>
  /** Sets up what hurts nobody by itself (apps, notifiers, devices); answers the attack. */
  prepare(ground: Ground): Promise<Strike>
  /** The entries of the services with the cure switched off; absent where there is none that can be. */
  without?: Pick<FleetOptions, 'apiScript' | 'workerScript'>
}

export type Strike = {
  /** Brings the attack up, measured too: the time of the phase begins when it has ended. */
  build?(): Promise<void>
  /** Goes on until the ground's signal is aborted. */
  go?(): Promise<void>
  /** What was harmed that no figure of the victim shows; undefined where nothing was. */
  harm?(): string | undefined
}
