import { claimedId, type Limiter } from '@fanfare/core'
import { openLimiter } from '@fanfare/platforms'

/** Counts by what tenants wrote: who names an account is in it, whatever its credential. */
export const textLimiter = (redisUrl: string): Limiter =>
  openLimiter(redisUrl, { accountOf: (channel) => `${channel.platform}:${claimedId(channel)}` })
