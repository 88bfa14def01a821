import type { Answer, RootRoute } from '../http/route.ts'
import { changeAccounts, fetchAccounts, fetchAccountsOfApp, type ShownAccount } from '../operations/accounts.ts'
import { fetchApp } from '../operations/apps.ts'
import { accountsQuery, accountView, askedAccounts, changedAccounts } from '../wire/account.ts'
import { parse, parseQuery } from '../wire/parse.ts'

const all = (accounts: readonly ShownAccount[]): Answer => ({
  body: JSON.stringify({ data: accounts.map(accountView) }),
})

/** Ours: the vendor accounts that claim one counting id, or those of an app. */
export const getAdminAccounts: RootRoute = {
  policy: 'operator',
  method: 'GET',
  path: '/admin/accounts',
  body: 'none',
  async handle(ctx, call) {
    const asked = askedAccounts(parseQuery(accountsQuery, call.query))
    if ('org' in asked) return all(await fetchAccountsOfApp(ctx, await fetchApp(ctx, asked.org, asked.app)))
    return all(await fetchAccounts(ctx, asked))
  },
}

/** Ours: says that accounts of different credentials are one at the vendor, or that they are not. */
export const patchAdminAccounts: RootRoute = {
  policy: 'operator',
  method: 'PATCH',
  path: '/admin/accounts',
  body: 'json',
  async handle(ctx, call) {
    const { provider: platform, id, join, separate } = parse(changedAccounts, call.body)
    return all(await changeAccounts(ctx, { platform, id }, { join, separate }))
  },
}
