import { setTimeout as sleep } from 'node:timers/promises'
import type { ChannelSettings, PlatformName } from '@fanfare/core'
import { AddressRefused, mailServerOf } from '@fanfare/platforms'
import type { ApiContext } from '../context.ts'
import { badSetting } from './channel-change.ts'

const LOOKUP_MS = 3000

/**
 * Refuses the mail server of a channel where it is not public, naming the field. A name that does not resolve now may
 * do so later: it is kept, and judged again at every connection. Where the operator's server stands in the place of all
 * others, nothing is looked up.
 */
export async function checkAddress(
  ctx: Pick<ApiContext, 'config' | 'guard'>,
  { platform, settings }: { platform: PlatformName; settings: ChannelSettings },
): Promise<void> {
  if (platform !== 'email') return
  const written = mailServerOf(settings)
  try {
    ctx.guard.examine(written)
    if (ctx.config.vendorSmtp === undefined) await lookUp(ctx, written)
  } catch (error) {
    if (!(error instanceof AddressRefused)) throw error
    throw badSetting(platform, error.part, error.detail)
  }
}

async function lookUp({ guard }: Pick<ApiContext, 'guard'>, written: ReturnType<typeof mailServerOf>): Promise<void> {
  const late = new AbortController()
  const resolved = guard.resolve(written).catch((error: unknown) => {
    if (error instanceof AddressRefused) throw error
  })
  const waited = sleep(LOOKUP_MS, undefined, { signal: late.signal }).catch(() => undefined)
  await Promise.race([resolved, waited]).finally(() => late.abort())
}
