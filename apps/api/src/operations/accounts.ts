import { type AccountView, type App, type PlatformName, PushError } from '@fanfare/core'
import type { ApiContext } from '../context.ts'

/** An account and the apps of its parts. */
export type ShownAccount = AccountView & { apps: ReadonlyMap<string, App> }
/** What a vendor counts by. */
export type CountingId = { platform: PlatformName; id: string }

/** All accounts that claim one counting id. */
export async function fetchAccounts(ctx: ApiContext, { platform, id }: CountingId): Promise<ShownAccount[]> {
  const views = await ctx.accounts.list(platform, id)
  const ids = [...new Set(views.flatMap(({ parts }) => parts.map(({ appId }) => appId)))]
  const found = await ctx.store.apps.byIds(ids)
  const apps = new Map(found.flatMap((app) => (app ? [[app.id, app] as const] : [])))
  return views.map((view) => ({ ...view, apps }))
}

/** All accounts with a counting id that a channel of the app has. */
export async function fetchAccountsOfApp(ctx: ApiContext, app: App): Promise<ShownAccount[]> {
  const channels = await ctx.store.channels.ofApp(app.id)
  const ids = new Map<string, CountingId>()
  for (const { platform, account } of channels) {
    if (account) ids.set(`${platform} ${account.id}`, { platform, id: account.id })
  }
  const lists: ShownAccount[][] = []
  for (const id of ids.values()) lists.push(await fetchAccounts(ctx, id))
  return lists.flat()
}

/** `join` makes one account of all that are named, `separate` takes what is named out of what it was joined to. */
export async function changeAccounts(
  ctx: ApiContext,
  of: CountingId,
  change: { join?: readonly string[] | undefined; separate?: readonly string[] | undefined },
): Promise<ShownAccount[]> {
  const views = await ctx.accounts.list(of.platform, of.id)
  const join = partsOf(views, 'join', change.join ?? [])
  const separate = partsOf(views, 'separate', change.separate ?? [])
  if (separate.length > 0) await ctx.accounts.separate(of.platform, of.id, separate)
  if (join.length > 0) await ctx.accounts.join(of.platform, of.id, join)
  return fetchAccounts(ctx, of)
}

/** The parts behind names of accounts or of parts. */
function partsOf(views: readonly AccountView[], field: string, names: readonly string[]): string[] {
  const parts = names.flatMap((name, index) => {
    const account = views.find(({ key }) => key === name)
    const part = views.flatMap((view) => view.parts).find(({ key }) => key === name)
    if (account) return account.parts.map(({ key }) => key)
    if (part) return [part.key]
    throw new PushError('BAD_PARAMETER', { field: `${field}.${index}`, detail: 'no account of this id has this name' })
  })
  return [...new Set(parts)]
}
