import type { Attack } from '../attack.ts'
import { claimedAccounts, claimedConnection } from './accounts.ts'
import { internalAddresses } from './addresses.ts'
import { largeBroadcasts, manyNotifiers, pausedNotifiers, singleFlood, waitingSingles } from './backlogs.ts'
import { bearerFlood, giantExt } from './bodies.ts'
import { keyMaterial } from './key-material.ts'
import { labels } from './labels.ts'
import { stalledMail, stalledSyncs } from './mail.ts'
import { hostileReasons } from './reasons.ts'
import { sockets } from './sockets.ts'
import { largeLists, manyDevices, reading, sameKeys, schedules, taskFlood } from './tasks.ts'
import { vendorAttacks } from './vendors.ts'

export const ATTACKS: readonly Attack[] = [
  ...[keyMaterial, claimedAccounts, claimedConnection, pausedNotifiers, manyNotifiers, largeBroadcasts],
  ...[waitingSingles, singleFlood, sockets, stalledMail, stalledSyncs, hostileReasons, internalAddresses],
  ...[labels, schedules, taskFlood, largeLists, manyDevices, reading, sameKeys, giantExt, bearerFlood],
  ...vendorAttacks,
]
