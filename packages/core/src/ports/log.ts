/**
 * What every part writes its events to: one line, few-valued fields, no tokens, no contents (docs/reliability.md T101).
 */
export interface Log {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}
