const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
const ADDR_SPEC = new RegExp(`^${ATOM}(?:\\.${ATOM})*@${LABEL}(?:\\.${LABEL})*$`)
const MAX_ADDRESS = 254
const MAX_LOCAL_PART = 64
const NAMED = /^([^<>\r\n]{0,200})<([^<>\s]{1,254})>$/

/**
 * One addr-spec of RFC 5321 in ASCII: no display name, no list, no comment, no quoted part, no line break. Mailers read
 * more than one recipient out of looser texts (docs/reliability.md §0.14). The pattern matches in linear time: an atom
 * holds no dot, a label no dot.
 */
export function isAddress(text: string): boolean {
  if (text.length > MAX_ADDRESS || text.indexOf('@') > MAX_LOCAL_PART) return false
  return ADDR_SPEC.test(text)
}

export type Mailbox = { name: string; address: string }

/** `a@b.example` or `Name <a@b.example>`; undefined where it is neither. */
export function mailboxOf(text: string): Mailbox | undefined {
  const trimmed = text.trim()
  if (isAddress(trimmed)) return { name: '', address: trimmed }
  const named = NAMED.exec(trimmed)
  const address = named?.[2] ?? ''
  if (!isAddress(address)) return undefined
  return { name: (named?.[1] ?? '').trim().replace(/^"(.*)"$/, '$1'), address }
}

export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1)
