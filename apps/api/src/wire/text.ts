import { PushError } from '@fanfare/core'

/** Characters that take two places in a limit when Han = 2 (docs/wire-api.md §7.15). */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u

/** Length in code points, wide characters counting `hanWidth`. */
export function widthOf(text: string, hanWidth: 1 | 2): number {
  let width = 0
  for (const char of text) width += hanWidth === 2 && WIDE.test(char) ? 2 : 1
  return width
}

export type TextLimit = { max: number; unit: 'chars' | 'bytes' }

/** Throws BAD_MESSAGE naming the field where the text is longer than its limit. */
export function checkText(field: string, text: string, limit: TextLimit, hanWidth: 1 | 2): void {
  // Every code unit counts at most 3 bytes or 2 places: short texts need no counting.
  if (text.length * 3 <= limit.max) return
  const length = limit.unit === 'bytes' ? Buffer.byteLength(text) : widthOf(text, hanWidth)
  if (length <= limit.max) return
  const unit = limit.unit === 'bytes' ? 'bytes' : hanWidth === 2 ? 'characters, a Han character counts 2' : 'characters'
  throw new PushError('BAD_MESSAGE', { field, detail: `must be at most ${limit.max} ${unit}; it has ${length}` })
}
