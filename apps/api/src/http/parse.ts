import { z } from 'zod'
import { invalidInput } from './errors.ts'

/** The value as the schema makes it; the first thing that is wrong is thrown, naming the field. */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw invalidInput(result.error)
}

const QUERY_KEY = /^[A-Za-z_]{1,32}$/
const queryKeys = z.record(z.string().regex(QUERY_KEY, 'is no parameter'), z.string())

/** Query parameters: each given once, plain names; unknown ones are tolerated. */
export function parseQuery<S extends z.ZodType>(schema: S, query: unknown): z.output<S> {
  return parse(schema, parse(queryKeys, { ...(query as object) }))
}
