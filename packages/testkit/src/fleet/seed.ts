import { type Binding, Ids, type Store } from '@fanfare/core'

export type Seed = {
  appId: string
  channelId: string
  count: number
  /** The first user's number; users are `u<number>`. */
  from?: number
  /** The token of user number n; the default is one that the simulator accepts. */
  tokenOf?: (index: number) => string
  onProgress?: (done: number) => void
}

/** Rows of one write. */
const PAGE = 2000

/** Binds one device each to `count` users, through the store and not over HTTP: millions would take hours there. */
export async function seedDevices(store: Store, seed: Seed): Promise<void> {
  const ids = new Ids((count) => store.takeIds(count))
  const from = seed.from ?? 0
  for (let start = 0; start < seed.count; start += PAGE) {
    const size = Math.min(PAGE, seed.count - start)
    const rowIds = await ids.many(size)
    await store.devices.bind(rowIds.map((id, offset) => binding(seed, id, from + start + offset)))
    seed.onProgress?.(start + size)
  }
}

function binding(seed: Seed, id: string, index: number): Binding {
  const token = seed.tokenOf?.(index) ?? okToken(index)
  return { id, appId: seed.appId, channelId: seed.channelId, userId: `u${index}`, deviceId: 'phone', token }
}

/** A token of a realistic length that the simulator accepts at once, or after `slowMs`. */
export function okToken(index: number, slowMs = 0): string {
  const name = slowMs > 0 ? `slow-${slowMs}` : 'ok'
  return `${name}-${String(index).padStart(10, '0')}-${'x'.repeat(100)}`
}
/** The number that such a token was made with. */
export const tokenNumber = (token: string): number => Number(/(\d+)-x+$/.exec(token)?.[1])

/** 64 hex digits, as APNs wants them: `ok-` in hex and the number, so that the simulator accepts it. */
export const apnsToken = (index: number): string => `6f6b2d${index.toString(16).padStart(58, '0')}`
