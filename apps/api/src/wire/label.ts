import type { Label, LabelMember } from '@fanfare/core'
import { z } from 'zod'
import type { Removed } from '../operations/labels.ts'
import { labelName, userId } from './names.ts'

/** SQLite gives a text back up to its first NUL. */
const description = z
  .string()
  .max(255)
  .regex(/^[^\0]*$/, 'must not contain NUL')

export const newLabel = z.looseObject({ name: labelName, description: description.nullish() })
export const usernames = z.looseObject({ usernames: z.array(userId).min(1).max(100) })

/** Labels as the wire shows them (docs/wire-api.md §3). */
export const createdView = ({ name, description, createdAt }: Label) => ({
  name,
  description,
  createdAt: createdAt.getTime(),
})
export const labelView = (label: Label) => ({
  name: label.name,
  description: label.description,
  count: label.count,
  createdAt: label.createdAt.getTime(),
})
export const memberView = ({ userId: username, createdAt }: LabelMember) => ({
  username,
  created: createdAt.getTime(),
})
export const removedView = ({ removed, others }: Removed) => ({
  success: removed,
  fail: Object.fromEntries(others.map((id) => [id, 'not a member of the label'])),
})
