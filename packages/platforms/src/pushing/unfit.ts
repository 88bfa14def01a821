import type { Batch, PushResult } from '@fanfare/core'

/** A message that must not be sent; the reason names the field. A pusher throws it before it sends anything. */
export class UnfitMessage extends Error {
  override readonly name = 'UnfitMessage'
}

/** What a batch with a message that must not be sent is answered; other errors are thrown on. */
export function rejectUnfit({ members }: Batch, error: unknown): PushResult[] {
  if (!(error instanceof UnfitMessage)) throw error
  const reason = error.message
  return members.map(({ id }) => ({ id, outcome: 'rejected', reason }))
}
