import { PushError } from '@fanfare/core'
import { z } from 'zod'

const PREFIX = 'fanfare:cursor:'

/** A page's cursor is opaque to clients: base64 without padding (docs/wire-api.md §3). */
const toCursor = (position: string): string => Buffer.from(PREFIX + position).toString('base64url')

/** The cursor of the page after this one, where there is one. */
export const nextCursor = ({ cursor }: { cursor?: string }): { cursor?: string } =>
  cursor === undefined ? {} : { cursor: toCursor(cursor) }

/** The position of a cursor that this API gave; anything else is refused by name. */
export function fromCursor(cursor: string | undefined): string | undefined {
  if (!cursor) return undefined
  const text = Buffer.from(cursor, 'base64url').toString('utf8')
  if (text.startsWith(PREFIX) && /^[\x20-\x7e]{1,200}$/.test(text)) return text.slice(PREFIX.length)
  throw new PushError('BAD_PARAMETER', { field: 'cursor', detail: 'was not given by this API' })
}

const whole = (least: number, most: number, absent: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be from ${least} to ${most}`)
    .optional()
    .transform((value) => value ?? absent)

/** `?limit=&cursor=` */
export const cursorPage = z.looseObject({ limit: whole(1, 100, 100), cursor: z.string().max(400).optional() })
/** `?page=&size=`, the first page is 0. */
export const numberedPage = z.looseObject({ page: whole(0, 1_000_000, 0), size: whole(1, 100, 20) })
