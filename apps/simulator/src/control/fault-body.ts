import type { Fault } from '../faults.ts'
import { FAULT_KINDS } from '../faults.ts'
import { isVendor } from '../names.ts'
import { BadQuery } from './query.ts'

const NUMBERS = ['retryAfterSeconds', 'everyNth', 'rate', 'seed', 'forMs', 'count', 'delayMs']
const TEXTS = ['account', 'code']

/** A checked fault. Throws BadQuery that names what is wrong. */
export function faultFrom(body: unknown): Fault {
  if (typeof body !== 'object' || body === null) throw new BadQuery('a fault is a JSON object')
  for (const [name, value] of Object.entries(body)) checkMember(name, value)
  const { vendor, kind } = body as { vendor?: unknown; kind?: unknown }
  if (vendor === undefined || kind === undefined) throw new BadQuery('vendor and kind are needed')
  return body as Fault
}

function checkMember(name: string, value: unknown): void {
  if (name === 'vendor') check(value === '*' || isVendor(value), 'vendor must be a vendor or *')
  else if (name === 'kind') check(isKind(value), `kind must be one of ${FAULT_KINDS.join(' ')}`)
  else if (TEXTS.includes(name)) check(typeof value === 'string', `${name} must be a string`)
  else if (NUMBERS.includes(name)) check(typeof value === 'number' && value >= 0, `${name} must be a number ≥ 0`)
  else throw new BadQuery(`a fault has no ${name}`)
}

function isKind(value: unknown): boolean {
  return (FAULT_KINDS as readonly unknown[]).includes(value)
}

function check(holds: boolean, message: string): void {
  if (!holds) throw new BadQuery(message)
}
