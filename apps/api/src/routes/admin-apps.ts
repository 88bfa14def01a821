import type { App } from '@fanfare/core'
import type { Answer, RootRoute } from '../http/route.ts'
import { fetchApp, insertApp, updateApp } from '../operations/apps.ts'
import { appSettings, appView, newApp, secretView } from '../wire/admin.ts'
import { pathApp } from '../wire/names.ts'
import { parse } from '../wire/parse.ts'

const json = (value: object): Answer => ({ body: JSON.stringify(value) })
const one = (app: App): Answer => json({ data: appView(app) })

/** Ours: makes an app. The secret is shown this once. */
export const postAdminApps: RootRoute = {
  policy: 'operator',
  method: 'POST',
  path: '/admin/apps',
  body: 'json',
  async handle(ctx, call) {
    const { org_name: org, app_name: name } = parse(newApp, call.body)
    return json({ data: secretView(await insertApp(ctx, org, name)) })
  },
}

export const getAdminApp: RootRoute = {
  policy: 'operator',
  method: 'GET',
  path: '/admin/apps/:org/:app',
  body: 'none',
  async handle(ctx, call) {
    const { org, app } = parse(pathApp, call.params)
    return one(await fetchApp(ctx, org, app))
  },
}

/** Ours: limits of one app; absent fields stay as they are. */
export const patchAdminApp: RootRoute = {
  policy: 'operator',
  method: 'PATCH',
  path: '/admin/apps/:org/:app',
  body: 'json',
  async handle(ctx, call) {
    const { org, app } = parse(pathApp, call.params)
    const change = Object.fromEntries(
      Object.entries(parse(appSettings, call.body)).filter(([, value]) => value !== undefined),
    )
    return one(await updateApp(ctx, await fetchApp(ctx, org, app), change))
  },
}
