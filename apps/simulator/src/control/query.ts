import type { Request } from 'express'
import type { VendorName } from '../names.ts'
import { isVendor, VENDORS } from '../names.ts'

/** The caller's mistake: answered 400 with its message. */
export class BadQuery extends Error {}

export function textFrom(request: Request, name: string): string | undefined {
  const value = request.query[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw new BadQuery(`${name} may be given once`)
  return value
}

export function numberFrom(request: Request, name: string): number | undefined {
  const text = textFrom(request, name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) throw new BadQuery(`${name} must be a number of at least 0`)
  return value
}

export function vendorFrom(request: Request): VendorName | undefined {
  const name = textFrom(request, 'vendor')
  if (name === undefined || isVendor(name)) return name
  throw new BadQuery(`vendor must be one of ${VENDORS.join(', ')}`)
}

export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new BadQuery(`${name} is needed`)
  return value
}

/** Without the members that are undefined, as `exactOptionalPropertyTypes` wants it. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
