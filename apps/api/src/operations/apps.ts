import { randomBytes } from 'node:crypto'
import { type App, type AppSettings, PushError } from '@fanfare/core'
import { secretHash } from '../auth/secrets.ts'
import type { ApiContext } from '../context.ts'

export type NewSecret = { clientId: string; clientSecret: string }

const newSecret = (): string => randomBytes(24).toString('base64url')

/** Makes an app. The secret is answered once and kept only as a hash. */
export async function insertApp(ctx: ApiContext, org: string, name: string): Promise<NewSecret> {
  const made = { clientId: randomBytes(12).toString('hex'), clientSecret: newSecret() }
  const app = {
    id: await ctx.ids.next(),
    org,
    name,
    clientId: made.clientId,
    clientSecretHash: secretHash(made.clientSecret),
    settings: {},
  }
  if (org === 'app-id' || !(await ctx.store.apps.insert(app))) {
    throw new PushError('NAME_TAKEN', { what: 'app', name: `${org}/${name}` })
  }
  ctx.apps.drop(`${org}/${name}`)
  return made
}

export async function fetchApp(ctx: ApiContext, org: string, name: string): Promise<App> {
  const app = await ctx.store.apps.byName(org, name)
  if (!app) throw new PushError('NOT_FOUND', { what: `app ${org}/${name}` })
  return app
}

/** Merges settings; other processes see them when their cache asks again (≤ 2 s). */
export async function updateApp(ctx: ApiContext, app: App, change: AppSettings): Promise<App> {
  const settings = { ...app.settings, ...change }
  await ctx.store.apps.update(app.id, { settings })
  forget(ctx, app)
  return { ...app, settings }
}

/** A new client secret, answered once; the old one is refused from now on, tokens stay as they are. */
export async function rotateSecret(ctx: ApiContext, app: App): Promise<NewSecret> {
  const clientSecret = newSecret()
  await ctx.store.apps.update(app.id, { clientSecretHash: secretHash(clientSecret) })
  forget(ctx, app)
  return { clientId: app.clientId, clientSecret }
}

/** Every token that was issued so far is refused, here at once and in other processes when their cache asks again. */
export async function endTokens(ctx: ApiContext, app: App): Promise<App> {
  await ctx.store.apps.endTokens(app.id)
  return again(ctx, app)
}

/** While it is disabled its tokens are refused, nothing is sent for it, and what it queued is kept. */
export async function setDisabled(ctx: ApiContext, app: App, disabled: boolean): Promise<App> {
  await ctx.store.apps.update(app.id, { disabled })
  return again(ctx, app)
}

async function again(ctx: ApiContext, app: App): Promise<App> {
  forget(ctx, app)
  return fetchApp(ctx, app.org, app.name)
}

function forget(ctx: ApiContext, app: App): void {
  ctx.apps.drop(`${app.org}/${app.name}`)
  ctx.apps.drop(`app-id/${app.id}`)
}
