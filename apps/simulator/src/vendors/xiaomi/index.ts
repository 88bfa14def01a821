import type { Named } from '../../behaviours.ts'
import { behaviourOf } from '../../behaviours.ts'
import type { Context } from '../../context.ts'
import type { Exchange, Reply } from '../../http/exchange.ts'
import { digestJson } from '../../journal/digest.ts'
import { parseForm } from '../form.ts'
import type { Answers, Failures, Problem, Submission } from '../settle.ts'
import { refuse, settle } from '../settle.ts'
import type { HttpVendor } from '../vendor.ts'
import { pathOnly } from '../vendor.ts'
import type { Form } from './check.ts'
import { checkForm } from './check.ts'
import { accepted, refusal } from './replies.ts'

const PATHS = new Set(['/v2/message/regid', '/v3/message/regid', '/v4/message/regid'])
const FORM_TYPE = 'application/x-www-form-urlencoded'
/** Left out of digests: the targets, and what changes from one attempt to the next. */
const NOT_MESSAGE = new Set(['registration_id', 'time_to_live', 'time_to_send'])

const ANSWERS: Answers = {
  behaviourOf,
  perMember: ({ kind }: Named) => kind === 'gone' || kind === 'stale' || kind === 'bad',
  accepted: ({ tokens }: Submission, failures: Failures) =>
    failures.size > 0 && tokens.every((token) => failures.has(token))
      ? refusal({ kind: 'gone' })
      : accepted([...failures.keys()]),
  refused: (problem: Problem) => refusal(problem),
}

/** MiPush message/regid: up to 1,000 regIds per request, authorized by `key=<AppSecret>`. */
export class XiaomiVendor implements HttpVendor {
  private readonly context: Context

  constructor(context: Context) {
    this.context = context
  }

  owns(path: string): boolean {
    return PATHS.has(path)
  }

  handle(exchange: Exchange): void {
    const form = parseForm(exchange.body)
    const list = form.get('registration_id')
    const submission: Submission = {
      vendor: 'xiaomi',
      account: form.get('restricted_package_name') ?? '',
      tokens: list ? list.split(',') : [],
      digest: digestForm(form),
      text: textOf(form),
    }
    const problem = checkForm(form, submission.tokens)
    const reply = checkCall(exchange) ?? (problem && refusal(problem, problem.reason))
    if (reply) refuse(this.context, exchange, submission, reply)
    else settle(this.context, exchange, submission, ANSWERS)
  }
}

/** Method, credential and content type. The path was checked before. */
function checkCall(exchange: Exchange): Reply | undefined {
  if (exchange.method !== 'POST') return { status: 405, body: '' }
  const authorization = exchange.headers['authorization']
  const secret = typeof authorization === 'string' && authorization.startsWith('key=') ? authorization.slice(4) : ''
  if (secret === '' || secret.startsWith('bad-')) return refusal({ kind: '401' })
  const type = exchange.headers['content-type']
  if (typeof type === 'string' && type.startsWith(FORM_TYPE)) return undefined
  return refusal({ kind: 'code', code: '10012' }, `${pathOnly(exchange)} wants ${FORM_TYPE}`)
}

function digestForm(form: Form): number {
  const fields: Record<string, string> = {}
  for (const [name, value] of form) if (!NOT_MESSAGE.has(name)) fields[name] = value
  return digestJson(fields, NOT_MESSAGE)
}

/** The payload is URL-encoded once more inside the form. */
function textOf(form: Form): string {
  const payload = form.get('payload') ?? ''
  return `${form.get('title')} ${form.get('description')} ${payload.replaceAll('%40', '@').replaceAll('%23', '#')}`
}
