import { randomBytes } from 'node:crypto'
import { type App, type AppSettings, PushError } from '@fanfare/core'
import { DEFAULT_TTL_SECONDS, isSecretOf, MAX_TTL_SECONDS, requireEnabled, secretHash } from '../auth/auth.ts'
import type { ApiContext } from '../context.ts'

export type NewSecrets = { client_id: string; client_secret: string }

const newSecret = (): string => randomBytes(24).toString('base64url')

/** Makes an app. The secret is answered once and kept only as a hash. */
export async function insertApp(ctx: ApiContext, org: string, name: string): Promise<NewSecrets> {
  const secrets = { client_id: randomBytes(12).toString('hex'), client_secret: newSecret() }
  const app = {
    id: await ctx.ids.next(),
    org,
    name,
    clientId: secrets.client_id,
    clientSecretHash: secretHash(secrets.client_secret),
    settings: {},
  }
  if (org === 'app-id' || !(await ctx.store.apps.insert(app))) {
    throw new PushError('NAME_TAKEN', { what: 'app', name: `${org}/${name}` })
  }
  ctx.apps.drop(`${org}/${name}`)
  return secrets
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
export async function rotateSecret(ctx: ApiContext, app: App): Promise<NewSecrets> {
  const secret = newSecret()
  await ctx.store.apps.update(app.id, { clientSecretHash: secretHash(secret) })
  forget(ctx, app)
  return { client_id: app.clientId, client_secret: secret }
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

export type Credentials = { client_id: string; client_secret: string; ttl?: number | null | undefined }
export type IssuedToken = { access_token: string; expires_in: number; application: string }

/**
 * A bearer token for client credentials (docs/wire-api.md §5.1). Who keeps sending wrong ones is answered 429 after a
 * while; right ones always pass, so that nobody can lock an app out.
 */
export async function issueToken(
  ctx: ApiContext,
  known: App,
  given: Credentials,
  caller: string,
): Promise<IssuedToken> {
  // In this order, and anew: whatever ends tokens or changes the secret afterwards, ends this one too.
  const now = await ctx.store.now()
  const [app = known] = await ctx.store.apps.byIds([known.id])
  const isSecret = isSecretOf(app, given.client_secret)
  if (given.client_id !== app.clientId || !isSecret) {
    ctx.failures.add(`${app.id} ${caller}`)
    throw new PushError(given.client_id === app.clientId ? 'CLIENT_SECRET_WRONG' : 'CLIENT_ID_WRONG')
  }
  requireEnabled(app)
  const ttlSeconds = given.ttl ?? DEFAULT_TTL_SECONDS
  return {
    access_token: ctx.tokens.sign(app, ttlSeconds, now),
    expires_in: ttlSeconds === 0 ? MAX_TTL_SECONDS : ttlSeconds,
    application: app.id,
  }
}
