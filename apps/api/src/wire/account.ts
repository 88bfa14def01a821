import { type PlatformName, PushError } from '@fanfare/core'
import { z } from 'zod'
import type { ShownAccount } from '../operations/accounts.ts'
import { appPart } from './names.ts'
import { PLATFORM_OF, PROVIDER_OF, uuidOf } from './notifier.ts'

const id = z.string().trim().min(1).max(1024).toLowerCase()
const provider = z.string().transform((name, context): PlatformName => {
  const platform = PLATFORM_OF.get(name)
  if (platform !== undefined) return platform
  context.addIssue({ code: 'custom', message: 'is no provider' })
  return z.NEVER
})
const names = z.array(z.string().max(100)).min(1).max(100)

/** `provider` and `id`, or `org_name` and `app_name`. */
export const accountsQuery = z.looseObject({
  provider: provider.optional(),
  id: id.optional(),
  org_name: appPart.optional(),
  app_name: appPart.optional(),
})
export const changedAccounts = z
  .strictObject({ provider, id, join: names.optional(), separate: names.optional() })
  .refine(({ join, separate }) => join || separate, { path: ['join'], message: 'join or separate is needed' })

export type AccountsQuery = { platform: PlatformName; id: string } | { org: string; app: string }

export function askedAccounts(given: z.output<typeof accountsQuery>): AccountsQuery {
  const { provider, id, org_name: org, app_name: app } = given
  if (provider !== undefined && id !== undefined) return { platform: provider, id }
  if (org !== undefined && app !== undefined) return { org, app }
  throw new PushError('BAD_PARAMETER', { field: 'id', detail: 'provider and id, or org_name and app_name, are needed' })
}

/** No credential and no hash of one is part of it. */
export const accountView = ({ key, platform, id, parts, apps }: ShownAccount) => ({
  account: key,
  provider: PROVIDER_OF[platform],
  id,
  parts: parts.map((part) => ({
    part: part.key,
    org_name: apps.get(part.appId)?.org ?? '',
    app_name: apps.get(part.appId)?.name ?? '',
    joined: part.joined,
    notifiers: part.channels.map((channel) => ({
      uuid: uuidOf(channel.id),
      name: channel.name,
      limits: channel.limits,
    })),
  })),
})
