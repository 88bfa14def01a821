/** Longer reasons are cut: they are grouped by and shown to people. */
export const REASON_CHARS = 200
/** Different reasons of one chunk; members with a reason beyond them are kept under `OTHER_REASON`. */
export const REASONS_PER_CHUNK = 64
export const OTHER_REASON = 'other reasons'

/** Control characters, line and paragraph separators, halves of surrogate pairs: no store and no log takes them all. */
const UNSAFE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u
const ALL_UNSAFE = new RegExp(UNSAFE, 'gu')

/** A vendor's text as a reason that every store can keep: short, one line, well-formed. */
export function cleanReason(text: string): string {
  if (text.length <= REASON_CHARS && !UNSAFE.test(text)) return text
  return text.slice(0, REASON_CHARS).replace(ALL_UNSAFE, '\ufffd')
}

/** The reason a member is kept under in a chunk that has these already. */
export function reasonBeside(known: { has(reason: string): boolean; size: number }, reason: string): string {
  return known.has(reason) || known.size < REASONS_PER_CHUNK ? reason : OTHER_REASON
}
