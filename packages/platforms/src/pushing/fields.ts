import type { JsonObject, JsonValue } from '@fanfare/core'
import { UnfitMessage } from './unfit.ts'

/** One field of a `pushMessage` object and its name at the vendor; `as` converts, undefined leaves it out. */
export type Field = readonly [from: string, to: string, as?: (value: JsonValue) => JsonValue | undefined]

/** Renames and converts what is there; null, undefined and unknown fields are left out. */
export function mapFields(from: JsonObject | undefined, fields: readonly Field[]): JsonObject {
  const mapped: JsonObject = {}
  if (!from) return mapped
  for (const [name, to, as] of fields) {
    const value = from[name]
    if (value === undefined || value === null) continue
    const converted = as ? as(value) : value
    if (converted !== undefined) mapped[to] = converted
  }
  return mapped
}

/** The value as an object, or undefined where it is none. */
export const objectOf = (value: JsonValue | undefined): JsonObject | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined

/** The object, or undefined where it has no field: empty objects are legal on the wire and mean nothing. */
export const unlessEmpty = (object: JsonObject): JsonObject | undefined =>
  Object.keys(object).length > 0 ? object : undefined

/** Text stays, anything else becomes its JSON. */
export const textOf = (value: JsonValue): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** Every value as text: FCM and the forms of others take nothing else. */
export function textsOf(object: JsonObject | undefined): Record<string, string> {
  const given = Object.entries(object ?? {}).filter(([, value]) => value !== null)
  // Not by assignment: a field named `__proto__` would be lost.
  return Object.fromEntries(given.map(([name, value]) => [name, textOf(value)]))
}

/** A number, also one written as text (docs/wire-api.md §7.14); undefined where it is none. */
export function numberOf(value: JsonValue | undefined): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value !== 'string' || !/^-?\d+(\.\d+)?$/.test(value.trim())) return undefined
  return Number(value)
}

/** The first value that is text with something in it. */
export function firstText(...values: (JsonValue | undefined)[]): string | undefined {
  return values.find((value): value is string => typeof value === 'string' && value !== '')
}

/** Without the fields that are undefined. */
export function defined(object: Record<string, JsonValue | undefined>): JsonObject {
  const given = Object.entries(object).filter((field): field is [string, JsonValue] => field[1] !== undefined)
  return Object.fromEntries(given)
}

/** What apps read to report arrivals and clicks (docs/wire-api.md §2.13). */
export const ePushOf = (provider: string, taskId: string): JsonObject => ({ provider, report: { task_id: taskId } })

/** Refuses text of more code points than the vendor takes. */
export function checkLength(field: string, text: string | undefined, max: number): void {
  if (text !== undefined && text.length > max && [...text].length > max) {
    throw new UnfitMessage(`${field}: longer than ${max} characters`)
  }
}
