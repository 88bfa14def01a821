import type { Device } from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { entities } from '../http/reply.ts'
import { type TenantCall, tenant } from '../http/route.ts'
import { fetchChannels } from '../operations/channels.ts'
import { fetchTokens, registerToken } from '../operations/devices.ts'
import { bindingViews, toBinding } from '../wire/binding.ts'
import { pathUsername } from '../wire/names.ts'
import { parse } from '../wire/parse.ts'

/** docs/wire-api.md §4.1: the bindings of that device afterwards. */
export const putBinding = tenant('PUT', '/users/:username/push/binding', 'json', async (ctx, call) => {
  const { username: userId } = parse(pathUsername, call.params)
  return answer(ctx, call, await registerToken(ctx, call.app, { ...toBinding(call.body), userId }))
})

/** The bindings of all devices of a user. */
export const getBinding = tenant('GET', '/users/:username/push/binding', 'none', async (ctx, call) => {
  const { username } = parse(pathUsername, call.params)
  return answer(ctx, call, await fetchTokens(ctx, call.app, username))
})

const answer = async (ctx: ApiContext, call: TenantCall, devices: readonly Device[]) =>
  entities(call, bindingViews(devices, await fetchChannels(ctx, call.app)))
