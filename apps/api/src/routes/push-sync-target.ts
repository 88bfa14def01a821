import type { NowResult } from '@fanfare/core'
import { accepted, doorOf } from '../http/pushes.ts'
import { tenant } from '../http/route.ts'
import { pushSync } from '../operations/push-sync.ts'
import { pathUser } from '../wire/names.ts'
import { parse } from '../wire/parse.ts'
import { toOne, toSend } from '../wire/push.ts'
import { syncItem } from '../wire/status.ts'

/** docs/wire-api.md §1.1: the vendors' answers, one element per bound device. */
export const pushSyncTarget = tenant('POST', '/push/sync/:target', 'json', async (ctx, call) => {
  const { target: userId } = parse(pathUser, call.params)
  const send = toSend(parse(toOne, call.body), ctx.config)
  return accepted(await pushSync(ctx, call.app, { ...send, userId }, doorOf(ctx, call, answer)))
})

const answer = (_: string, results: readonly NowResult[]) => results.map((each) => syncItem(each))
