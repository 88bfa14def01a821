import type { Problem } from '../settle.ts'

export type Form = ReadonlyMap<string, string>
export type XiaomiProblem = Problem & { reason: string }

/** https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1163 */
const MAX_TOKENS = 1000
const MAX_TITLE_CHARS = 50
const MAX_DESCRIPTION_CHARS = 128
const MAX_PAYLOAD_BYTES = 4096
const MAX_EXTRAS = 10
const MAX_EXTRA_CHARS = 1024
const MAX_TTL_MS = 14 * 24 * 3600_000
const JOB_KEY = /^[0-9A-Za-z_-]{1,20}$/
const INTEGER = /^-?\d{1,15}$/

/** What the vendor finds wrong with the fields of a message; undefined if nothing. */
export function checkForm(form: Form, tokens: readonly string[]): XiaomiProblem | undefined {
  return (
    checkTargets(form, tokens) ??
    checkTexts(form) ??
    checkNumbers(form) ??
    checkExtras([...form].filter(([name]) => name.startsWith('extra.')))
  )
}

function checkTargets(form: Form, tokens: readonly string[]): XiaomiProblem | undefined {
  if (tokens.length === 0) return missing('registration_id')
  if (tokens.length > MAX_TOKENS) return illegal('registration_id', `more than ${MAX_TOKENS} regids`)
  if (tokens.includes('')) return illegal('registration_id', 'empty regid')
  return form.get('restricted_package_name') ? undefined : missing('restricted_package_name')
}

function checkTexts(form: Form): XiaomiProblem | undefined {
  const passThrough = form.get('pass_through') ?? '0'
  if (passThrough !== '0' && passThrough !== '1') return illegal('pass_through', 'must be 0 or 1')
  const title = form.get('title') ?? ''
  const description = form.get('description') ?? ''
  const payload = form.get('payload') ?? ''
  if (passThrough === '0' && title === '') return missing('title')
  if (passThrough === '0' && description === '') return missing('description')
  if (passThrough === '1' && payload === '') return missing('payload')
  if ([...title].length >= MAX_TITLE_CHARS) return tooLong('title')
  if ([...description].length >= MAX_DESCRIPTION_CHARS) return tooLong('description')
  return Buffer.byteLength(payload) > MAX_PAYLOAD_BYTES ? tooLong('payload') : undefined
}

function checkNumbers(form: Form): XiaomiProblem | undefined {
  for (const name of ['notify_type', 'notify_id', 'time_to_live', 'time_to_send']) {
    const value = form.get(name)
    if (value !== undefined && !INTEGER.test(value)) return illegal(name, 'must be a number')
  }
  const ttlMs = Number(form.get('time_to_live') ?? 1)
  return ttlMs > 0 && ttlMs <= MAX_TTL_MS ? undefined : illegal('time_to_live', 'out of range')
}

function checkExtras(extras: readonly (readonly [string, string])[]): XiaomiProblem | undefined {
  if (extras.length > MAX_EXTRAS) return illegal('extra', `more than ${MAX_EXTRAS} pairs`)
  const chars = extras.reduce((sum, [name, value]) => sum + name.length - 'extra.'.length + value.length, 0)
  if (chars > MAX_EXTRA_CHARS) return tooLong('extra')
  const jobKey = extras.find(([name]) => name === 'extra.jobkey')?.[1]
  return jobKey === undefined || JOB_KEY.test(jobKey) ? undefined : illegal('extra.jobkey', 'illegal characters')
}

function missing(name: string): XiaomiProblem {
  return { kind: 'code', code: '10016', reason: `Missing required parameter ${name}` }
}

function illegal(name: string, why: string): XiaomiProblem {
  return { kind: 'code', code: '10017', reason: `Illegal parameter value ${name}: ${why}` }
}

function tooLong(name: string): XiaomiProblem {
  return { kind: 'code', code: '65009', reason: `${name} is too long` }
}
