import type { OutgoingHttpHeaders } from 'node:http2'
import type { Batch, BatchMember, PushResult } from '@fanfare/core'
import type { TokenProvider } from '../access/access-token.ts'
import { withToken } from '../access/with-token.ts'
import type { Call } from '../http/http2/call.ts'
import type { Http2Client } from '../http/http2/client.ts'
import { fanOut } from '../http/http2/fanout.ts'
import { resting } from './again.ts'
import { settle, type Verdict } from './verdict.ts'

/** A push by one HTTP/2 request per member: APNs and FCM. */
export type EachPush = {
  batch: Batch
  signal: AbortSignal
  client: Http2Client
  /** Absent: the connection itself is the credential (APNs certificates). */
  tokens?: TokenProvider | undefined
  /** What is no token never reaches a header, a path or a body (docs/reliability.md §0.13). */
  isToken(token: string): boolean
  /** The headers all members share. */
  headers(accessToken: string): OutgoingHttpHeaders
  request(member: BatchMember, headers: OutgoingHttpHeaders): { headers: OutgoingHttpHeaders; body: Buffer | string }
  judge(call: Call): Verdict
}

const MALFORMED: Verdict = { is: 'invalid', reason: 'malformed token' }

/** One result per member, see `Pusher.push`. */
export async function pushEach(push: EachPush): Promise<PushResult[]> {
  const { members } = push.batch
  const verdicts: Verdict[] = new Array(members.length)
  const indices: number[] = []
  for (let index = 0; index < members.length; index++) {
    if (push.isToken((members[index] as BatchMember).token)) indices.push(index)
    else verdicts[index] = MALFORMED
  }
  const sent = await sendAll(push, indices)
  for (let at = 0; at < indices.length; at++) verdicts[indices[at] as number] = sent[at] as Verdict
  return settle(members, verdicts)
}

function sendAll(push: EachPush, indices: readonly number[]): Promise<Verdict[]> {
  const urgent = push.batch.lane !== 'bulk'
  const rest = push.batch.restMs && (() => resting(push.batch))
  const send = (accessToken: string, some: readonly number[]) => {
    const headers = push.headers(accessToken)
    const request = (index: number) => push.request(push.batch.members[index] as BatchMember, headers)
    return fanOut(push.client, { indices: some, urgent, request, judge: push.judge, resting: rest }, push.signal)
  }
  const { tokens, signal, batch } = push
  return tokens ? withToken({ tokens, indices, send, signal, again: batch.again }) : send('', indices)
}
