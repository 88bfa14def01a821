import type { SimulatorClient } from '@fanfare/simulator'

export const PLATFORMS = ['fcm', 'huawei'] as const
/** The two vendors whose default limits are the strictest, by their names at the simulator. */
export type Platform = (typeof PLATFORMS)[number]

/** The account with the backlog and the one of the other app, as the simulator names them. */
export const OWN = 'own'
export const OTHER = 'other'
/** Tokens per second, the vendors' defaults. */
export const RATES: Readonly<Record<Platform, number>> = { fcm: 500, huawei: 6000 }

/** What is measured: worker processes with a backlog on the own account of each vendor, and single pushes meanwhile. */
export interface Subject {
  readonly simulator: SimulatorClient
  /** Changes the own account's limit in every process. */
  setRate(platform: Platform, rate: number): Promise<void>
  close(): Promise<void>
}
