import { isId, PushError } from '@fanfare/core'
import { z } from 'zod'

/** Names as they may stand in URLs and keys (docs/reliability.md T95). */
export const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/
const LABEL_NAME = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,64}$/
export const NOTIFIER_NAME = /^[A-Za-z0-9][A-Za-z0-9_.#@-]{0,63}$/

/** User ids fold to lower case (docs/wire-api.md §4.2). */
export const userId = z
  .string()
  .regex(SAFE_NAME, 'must be 1 to 64 of A-Z a-z 0-9 _ . - and begin with a letter or digit')
  .transform((id) => id.toLowerCase())
/** The same, left as given: for targets, whose answers repeat what the caller wrote. */
export const givenUserId = z
  .string()
  .regex(SAFE_NAME, 'must be 1 to 64 of A-Z a-z 0-9 _ . - and begin with a letter or digit')
export const appPart = z
  .string()
  .regex(SAFE_NAME, 'must be 1 to 64 of A-Z a-z 0-9 _ . - and begin with a letter or digit')
export const labelName = z.string().regex(LABEL_NAME, 'must be 1 to 64 of A-Z a-z 0-9 _ . -')
export const notifierName = z
  .string()
  .regex(NOTIFIER_NAME, 'must be 1 to 64 of A-Z a-z 0-9 _ . # @ - and begin with a letter or digit')

/** A JSON object, not an array. */
export const jsonObject = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'expected object',
)

/** Parameters of paths. */
export const pathUser = z.object({ target: givenUserId })
export const pathUsername = z.object({ username: userId })
export const pathLabel = z.object({ label: labelName })
export const pathApp = z.object({ org: appPart, app: appPart })

/** A task's id in a path; what is no id is not found, never rounded (docs/design.md §11). */
export function pathTask(params: Readonly<Record<string, string>>): string {
  const taskId = params['taskId'] ?? ''
  if (!isId(taskId)) throw new PushError('NOT_FOUND', { what: 'task' })
  return taskId
}
