import { APP_DEFAULTS, type App, type Label, type LabelMember, PushError } from '@fanfare/core'
import type { ApiContext } from '../context.ts'

/** A page of what is listed: after the `cursor` of the page before. */
export type PageAsk = { limit: number; after?: string | undefined }

export async function insertLabel(
  ctx: ApiContext,
  app: App,
  given: { name: string; description: string },
): Promise<Label> {
  const maxLabels = app.settings.maxLabels ?? APP_DEFAULTS.maxLabels
  const label = { id: await ctx.ids.next(), appId: app.id, ...given }
  const made = await ctx.store.labels.insert(label, maxLabels)
  if (made === 'exists') throw new PushError('LABEL_EXISTS', { label: given.name })
  if (made === 'full') throw new PushError('LIMIT', { detail: `an app may have ${maxLabels} labels` })
  return made
}

export function fetchLabels(ctx: ApiContext, app: App, { limit, after }: PageAsk) {
  return ctx.store.labels.page(app.id, limit, after)
}

/** A label of this app; an unknown one is LABEL_UNKNOWN. */
export async function fetchLabel(ctx: ApiContext, app: App, name: string): Promise<Label> {
  const [label] = await ctx.store.labels.byNames(app.id, [name])
  if (!label) throw new PushError('LABEL_UNKNOWN', { label: name })
  return label
}

export async function deleteLabel(ctx: ApiContext, app: App, name: string): Promise<void> {
  if (!(await ctx.store.labels.remove(app.id, name))) throw new PushError('LABEL_UNKNOWN', { label: name })
}

/** Answers the users, each once. Nobody need be bound: membership makes a user exist. */
export async function addToLabel(ctx: ApiContext, label: Label, userIds: readonly string[]): Promise<string[]> {
  const users = [...new Set(userIds)]
  await ctx.store.labels.addUsers(label.id, users)
  return users
}

/** Who was removed, and who was no member. */
export async function removeFromLabel(ctx: ApiContext, label: Label, userIds: readonly string[]): Promise<Removed> {
  const users = [...new Set(userIds)]
  const were = await ctx.store.labels.removeUsers(label.id, users)
  return { removed: users.filter((_, index) => were[index]), others: users.filter((_, index) => !were[index]) }
}
export type Removed = { removed: string[]; others: string[] }

export function fetchMembers(ctx: ApiContext, label: Label, { limit, after }: PageAsk) {
  return ctx.store.labels.members(label.id, limit, after)
}

/** Undefined where the user is no member. */
export function fetchMember(ctx: ApiContext, label: Label, userId: string): Promise<LabelMember | undefined> {
  return ctx.store.labels.member(label.id, userId)
}
