import type { Route } from '@fanfare/core'

/** The routes by their number on the wire (docs/design.md §2, docs/wire-api.md §1.3). */
const ROUTES: readonly Route[] = [['vendor', 'inbox'], ['inbox'], ['vendor'], ['online', 'vendor', 'inbox'], ['online']]
/** Vendor channels only; what a vendor refuses is dropped. */
const DEFAULT_STRATEGY = 2

/** The ways of a strategy; none, and an unknown number, has the default's. */
export const routeOf = (strategy: number | null | undefined): Route =>
  ROUTES[strategy ?? DEFAULT_STRATEGY] ?? ['vendor']

/** The number of a route on the wire. */
export const strategyOf = (route: readonly string[]): number => {
  const index = ROUTES.findIndex((known) => known.join() === route.join())
  return index < 0 ? DEFAULT_STRATEGY : index
}
