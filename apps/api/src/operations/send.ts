import { type Message, type OnUnknown, PushError, type Route } from '@fanfare/core'

/** The routes that are open: the own channel, by which users who are online are reached, does not exist yet. */
export type OpenRoute = readonly ['vendor']

/** What every push has, whomever it is for. */
export type Send = { message: Message; route: OpenRoute; onUnknown: OnUnknown }

export function openRoute(route: Route): OpenRoute {
  const [first, ...others] = route
  if (first !== 'vendor' || others.length > 0) throw new PushError('ROUTE_NOT_OPEN', { route: route.join(' ') })
  return [first]
}
