import type { App } from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import type { RootRoute } from '../http/route.ts'
import { endTokens, fetchApp, rotateSecret, setDisabled } from '../operations/apps.ts'
import { appView, secretView } from '../wire/admin.ts'
import { pathApp } from '../wire/names.ts'
import { parse } from '../wire/parse.ts'

const change = (
  method: RootRoute['method'],
  what: string,
  run: (ctx: ApiContext, app: App) => Promise<object>,
): RootRoute => ({
  policy: 'operator',
  method,
  path: `/admin/apps/:org/:app/${what}`,
  body: method === 'POST' ? 'any' : 'none',
  async handle(ctx, call) {
    const { org, app } = parse(pathApp, call.params)
    return { body: JSON.stringify({ data: await run(ctx, await fetchApp(ctx, org, app)) }) }
  },
})

/** Ours: a new client secret, shown this once. */
export const postAdminAppSecret = change('POST', 'secret', async (ctx, app) => secretView(await rotateSecret(ctx, app)))
/** Ours: all tokens issued so far end, in every process within 5 s. */
export const deleteAdminAppTokens = change('DELETE', 'tokens', async (ctx, app) => appView(await endTokens(ctx, app)))
/** Ours: tokens are refused and nothing is sent until it is enabled. */
export const postAdminAppDisable = change('POST', 'disable', async (ctx, app) =>
  appView(await setDisabled(ctx, app, true)),
)
export const postAdminAppEnable = change('POST', 'enable', async (ctx, app) =>
  appView(await setDisabled(ctx, app, false)),
)
