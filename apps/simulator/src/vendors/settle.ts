import type { Kind, Named } from '../behaviours.ts'
import type { Context } from '../context.ts'
import type { Fault } from '../faults.ts'
import type { Exchange, Reply } from '../http/exchange.ts'
import { perform } from '../http/perform.ts'
import type { VendorName } from '../names.ts'

/** A request that passed the vendor's own checks. */
export type Submission = {
  vendor: VendorName
  account: string
  tokens: readonly string[]
  /** What tells this message from others (`journal/digest.ts`). */
  digest: number
  /** Where `sent@…` may stand, decoded. */
  text: string
  /** Of the vendor's interface, where it has several. */
  version?: string
  /** The vendor recognized a repetition: it answers as the first time and delivers nothing. */
  suppressed?: boolean
}

/** The members a batch vendor reports singly, in the order of the request. */
export type Failures = ReadonlyMap<string, Named>
export type Problem = { kind: Kind; code?: string | undefined; retryAfterSeconds?: number | undefined }

/** How one vendor words its answers. */
export type Answers = {
  behaviourOf(token: string): Named | undefined
  /** True for kinds that the vendor can say of one token of a batch. */
  perMember(named: Named): boolean
  /** Everything was taken, or all but the failures. */
  accepted(submission: Submission, failures: Failures): Reply
  refused(problem: Problem, submission: Submission): Reply
}

type Plan = Problem & { afterMs: number; dripMs: number; failures: Failures }

const NONE: Failures = new Map()
const PLAIN: Plan = { kind: 'ok', afterMs: 0, dripMs: 0, failures: NONE }
/** Kinds where the vendor has taken the message although the client may never learn it. */
const TAKEN: ReadonlySet<Kind> = new Set<Kind>([
  'ok',
  'hang',
  'reset',
  'reset-stream',
  'close',
  'goaway',
  'rubbish',
  'drip',
  'endless',
  'gzip',
])

/** Decides what becomes of a request, writes it into the journal and answers. True if the vendor took it. */
export function settle(context: Context, exchange: Exchange, submission: Submission, answers: Answers): boolean {
  const fault = context.faults.active ? context.faults.pick(submission.vendor, submission.account) : undefined
  const plan = fault ? planOf(fault) : planByName(context, submission, answers)
  const taken = TAKEN.has(plan.kind)
  const reply = taken ? answers.accepted(submission, plan.failures) : answers.refused(plan, submission)
  if (plan.kind !== 'refuse-stream') record(context, exchange, submission, { plan, taken, status: reply.status })
  const afterMs = plan.afterMs + context.settings.latencyMs
  if (afterMs === 0 && plan.kind === 'ok') exchange.reply(reply)
  else perform(exchange, reply, { kind: plan.kind, afterMs, dripMs: plan.dripMs })
  return taken
}

/** Writes down a request that broke the vendor's rules, and answers. */
export function refuse(context: Context, exchange: Exchange, submission: Submission, reply: Reply): void {
  const plan: Plan = { ...PLAIN, kind: 'refused' }
  record(context, exchange, submission, { plan, taken: false, status: reply.status })
  exchange.reply(reply)
}

function planOf(fault: Fault): Plan {
  const { kind, delayMs = 0, code, retryAfterSeconds } = fault
  if (kind === 'delay') return { ...PLAIN, afterMs: delayMs }
  if (kind === 'all-gone') return { ...PLAIN, kind: 'gone' }
  const late = kind === 'drip' ? { afterMs: 0, dripMs: delayMs } : { afterMs: delayMs, dripMs: 0 }
  return { kind: kind as Kind, code, retryAfterSeconds, failures: NONE, ...late }
}

function planByName(context: Context, submission: Submission, answers: Answers): Plan {
  let failures: Map<string, Named> | undefined
  let afterMs = 0
  for (const token of submission.tokens) {
    const named = answers.behaviourOf(token)
    if (!named) continue
    afterMs = Math.max(afterMs, named.delayMs)
    if (named.kind === 'ok') continue
    if (answers.perMember(named)) {
      failures ??= new Map()
      failures.set(token, named)
    } else if (named.times === 0 || context.visits(submission.vendor, token) <= named.times) {
      return { ...PLAIN, kind: named.kind, code: named.code }
    }
  }
  return failures || afterMs > 0 ? { ...PLAIN, afterMs, failures: failures ?? NONE } : PLAIN
}

type Decision = { plan: Plan; taken: boolean; status: number }

function record(context: Context, exchange: Exchange, submission: Submission, { plan, taken, status }: Decision): void {
  const { vendor, account, tokens, digest, text } = submission
  const delivered = taken && !submission.suppressed
  const { journal } = context
  const log = journal.logOf(vendor)
  log.begin(account, exchange.arrivedAtMs, digest)
  for (const token of tokens) log.member(token, delivered && !plan.failures.has(token))
  if (delivered) journal.noteLatency(vendor, text, exchange.arrivedAtMs)
  if (!journal.mode.bodies) return
  const { method, path, protocol, headers, body, arrivedAtMs: atMs } = exchange
  journal.keep({ vendor, account, atMs, method, path, protocol, headers, body, tokens, kind: plan.kind, status })
}
