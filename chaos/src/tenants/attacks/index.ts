import type { Attack } from '../attack.ts'
import { claimedConnection } from './accounts.ts'
import { internalAddresses } from './addresses.ts'
import { bearerFlood, giantExt } from './bodies.ts'
import { labels } from './labels.ts'
import { stalledMail } from './mail.ts'
import { hostileReasons } from './reasons.ts'
import { sockets } from './sockets.ts'
import { vendorAttacks } from './vendors.ts'

export const ATTACKS: readonly Attack[] = [
  ...[claimedConnection, sockets, stalledMail, hostileReasons, internalAddresses],
  ...[labels, giantExt, bearerFlood],
  ...vendorAttacks,
]
