import type { Attack } from '../attack.ts'
import { claimedConnection } from './accounts.ts'
import { internalAddresses } from './addresses.ts'
import { bearerFlood, giantExt } from './bodies.ts'
import { keyMaterial } from './key-material.ts'
import { labels } from './labels.ts'
import { stalledMail, stalledSyncs } from './mail.ts'
import { hostileReasons } from './reasons.ts'
import { sockets } from './sockets.ts'
import { reading, sameKeys, taskFlood } from './tasks.ts'
import { vendorAttacks } from './vendors.ts'

export const ATTACKS: readonly Attack[] = [
  ...[keyMaterial, claimedConnection, sockets, stalledMail, stalledSyncs, hostileReasons, internalAddresses],
  ...[labels, taskFlood, reading, sameKeys, giantExt, bearerFlood],
  ...vendorAttacks,
]
