import { z } from 'zod'

export type Env = Readonly<Record<string, string | undefined>>
/** What one variable of the environment means; an empty one counts as not set. */
type Setting = z.ZodType<unknown, string | undefined>
/** By the name in the program: the variable and what it means. */
export type Settings = Readonly<Record<string, readonly [variable: string, setting: Setting]>>

type Value<S extends Settings, K extends keyof S> = z.output<S[K][1]>
type Missing<S extends Settings> = { [K in keyof S]: undefined extends Value<S, K> ? K : never }[keyof S]
/** What may be missing is absent then. */
export type SettingsOf<S extends Settings> = { [K in Exclude<keyof S, Missing<S>>]: Value<S, K> } & {
  [K in Missing<S>]?: Exclude<Value<S, K>, undefined>
}

/** A setting that cannot be used; the sentence begins with the name of the variable. */
export class SettingError extends Error {
  override readonly name = 'SettingError'
}

/** Reads the environment once and judges it once; throws a SettingError for the first thing that is wrong. */
export function readSettings<S extends Settings>(settings: S, env: Env): SettingsOf<S> {
  const read: Record<string, unknown> = {}
  for (const [key, [variable, setting]] of Object.entries(settings)) {
    const { success, data, error } = setting.safeParse(env[variable] || undefined)
    if (!success) throw new SettingError(`${variable} ${error.issues[0]?.message}`)
    if (data !== undefined) read[key] = data
  }
  return read as SettingsOf<S>
}

const given = z.string().optional()

export const text = (otherwise: string) => given.transform((value) => value ?? otherwise)

/** Absent where it is not set. */
export const optionalText = () => given

export const wholeNumber = (range: { least: number; most: number; otherwise: number }) =>
  given.transform((value = String(range.otherwise), ctx) => {
    const number = Number(value)
    if (/^\d+$/.test(value) && number >= range.least && number <= range.most) return number
    return refuse(ctx, `must be a whole number from ${range.least} to ${range.most}, it is ${value}`)
  })

export const port = (otherwise: number) => wholeNumber({ least: 0, most: 65_535, otherwise })

export const oneOf = <T extends string>(allowed: readonly T[], otherwise: T) =>
  given.transform((value = otherwise, ctx) => {
    const found = allowed.find((item) => item === value)
    return found ?? refuse(ctx, `must be one of ${allowed.join(', ')}, it is ${value}`)
  })

/** What another room reads; it throws the sentence without the variable's name. */
export const readBy = <T>(read: (value: string | undefined) => T) =>
  given.transform((value, ctx) => {
    try {
      return read(value)
    } catch (error) {
      return refuse(ctx, error instanceof Error ? error.message : String(error))
    }
  })

function refuse(ctx: z.RefinementCtx, message: string): never {
  ctx.addIssue({ code: 'custom', message })
  return z.NEVER
}
