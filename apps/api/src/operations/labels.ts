import { APP_DEFAULTS, type App, type Label, PushError } from '@fanfare/core'
import type { ApiContext } from '../context.ts'

export async function insertLabel(ctx: ApiContext, app: App, given: { name: string; description: string }) {
  const maxLabels = app.settings.maxLabels ?? APP_DEFAULTS.maxLabels
  const label = { id: await ctx.ids.next(), appId: app.id, ...given }
  const made = await ctx.store.labels.insert(label, maxLabels)
  if (made === 'exists') throw new PushError('LABEL_EXISTS', { label: given.name })
  if (made === 'full') throw new PushError('LIMIT', { detail: `an app may have ${maxLabels} labels` })
  return made
}

/** A label of this app; an unknown one is 400 (docs/wire-api.md §3). */
export async function labelOf(ctx: ApiContext, app: App, name: string): Promise<Label> {
  const [label] = await ctx.store.labels.byNames(app.id, [name])
  if (!label) throw new PushError('LABEL_UNKNOWN', { label: name })
  return label
}

export async function deleteLabel(ctx: ApiContext, app: App, name: string): Promise<void> {
  if (!(await ctx.store.labels.remove(app.id, name))) throw new PushError('LABEL_UNKNOWN', { label: name })
}

/** Users removed, and for each of the others why not. */
export async function removeUsers(ctx: ApiContext, label: Label, userIds: readonly string[]) {
  const were = await ctx.store.labels.removeUsers(label.id, userIds)
  return {
    success: userIds.filter((_, index) => were[index]),
    fail: Object.fromEntries(userIds.filter((_, index) => !were[index]).map((id) => [id, 'not a member of the label'])),
  }
}
