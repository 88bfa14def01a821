import { PushError } from '@fanfare/core'
import { z } from 'zod'

/** The first thing a schema found wrong: the field's path, `body` for the whole, and what is wrong with it. */
export type Wrong = { field: string; detail: string }

/** The value as the schema makes it; the first thing that is wrong is thrown, naming the field. */
export function parse<S extends z.ZodType>(schema: S, value: unknown, refusal = badInput): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw refusal(wrongOf(result.error))
}

/** Under pushMessage a bad message, else a bad parameter. */
export const badInput = ({ field, detail }: Wrong): PushError =>
  new PushError(field.startsWith('pushMessage') ? 'BAD_MESSAGE' : 'BAD_PARAMETER', { field, detail })

function wrongOf({ issues: [issue] }: z.ZodError): Wrong {
  return {
    field: issue?.path.join('.') || 'body',
    detail: (issue?.message ?? 'invalid').replace(/^Invalid input: /, ''),
  }
}

const QUERY_KEY = /^[A-Za-z_]{1,32}$/
const queryKeys = z.record(z.string().regex(QUERY_KEY, 'is no parameter'), z.string())

/** Query parameters: each given once, plain names; unknown ones are tolerated. */
export function parseQuery<S extends z.ZodType>(schema: S, query: unknown): z.output<S> {
  return parse(schema, parse(queryKeys, { ...(query as object) }))
}
