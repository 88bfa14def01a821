import type { Attack } from '../attack.ts'
import { bearerFlood, giantExt } from './bodies.ts'
import { labels } from './labels.ts'
import { vendorAttacks } from './vendors.ts'

export const ATTACKS: readonly Attack[] = [labels, giantExt, bearerFlood, ...vendorAttacks]
