import type { Device } from '../nouns/device.ts'
import type { DeviceStore } from '../ports/store/devices.ts'

/** One target of a push: a user, the user's live devices, and whether the user exists at all. */
export type Target = { userId: string; devices: readonly Device[]; exists: boolean }

/** Users with their devices, in their order; only of those without one it is asked whether they exist. */
export async function targetsOf(
  devices: Pick<DeviceStore, 'ofUsers' | 'usersExist'>,
  appId: string,
  userIds: readonly string[],
): Promise<Target[]> {
  const found = await devices.ofUsers(userIds.map((userId) => ({ appId, userId })))
  const without = userIds.filter((_, index) => !found[index]?.length)
  const exist = without.length > 0 ? await devices.usersExist(without.map((userId) => ({ appId, userId }))) : []
  const known = new Set(without.filter((_, index) => exist[index]))
  return userIds.map((userId, index) => {
    const own = found[index] ?? []
    return { userId, devices: own, exists: own.length > 0 || known.has(userId) }
  })
}

/** The users that a caller means: ids fold to lower case, and a repeated one is one. */
export const usersOf = (given: readonly string[]): string[] => [...new Set(given.map((id) => id.toLowerCase()))]
