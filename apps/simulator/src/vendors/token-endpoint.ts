import type { Context } from '../context.ts'
import type { Exchange, Reply } from '../http/exchange.ts'
import { perform } from '../http/perform.ts'
import type { VendorName } from '../names.ts'

export type TokenCall = { vendor: VendorName; account: string }

/** Answers a call of a token endpoint: as the switched-on faults say, else with `reply`. */
export function answerTokenCall(
  context: Context,
  exchange: Exchange,
  { vendor, account }: TokenCall,
  replies: { granted: () => Reply; denied: Reply; down: Reply },
): void {
  context.journal.countTokenCall(vendor)
  const fault = context.faults.pickForToken(vendor, account)
  const kind = fault?.kind === 'oauth-hang' ? 'hang' : 'ok'
  const afterMs = (fault?.delayMs ?? 0) + context.settings.latencyMs
  perform(exchange, chooseReply(fault?.kind, replies), { kind, afterMs, dripMs: 0 })
}

function chooseReply(fault: string | undefined, replies: { granted: () => Reply; denied: Reply; down: Reply }): Reply {
  if (fault === 'oauth-down') return replies.down
  return fault === 'oauth-401' ? replies.denied : replies.granted()
}

export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  }
}
