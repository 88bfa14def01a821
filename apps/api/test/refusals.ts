import type { Reply, TestApi } from './test-api.ts'
import { timestampless } from './test-api.ts'

/** A refusal without what changes from call to call. */
export const refusal = (reply: Reply) => ({ status: reply.status, ...timestampless(reply.body) })
export const bad = (error: string, exception: string, error_description: string, status = 400) => ({
  status,
  error,
  exception,
  error_description,
})
export const parameter = (text: string) => bad('IllegalArgumentException', 'IllegalArgumentException', text)
export const wrongMessage = (text: string) => bad('MessageException', 'MessageException', `bad_request: ${text}`)

export type Watch = () => Promise<{ writes: number; jobs: number }>
/** What was written and queued so far: equal before and after a refused request. */
export const watch =
  (api: TestApi): Watch =>
  async () => ({ writes: api.writes(), jobs: (await api.jobs()).length })
