import type { Device } from '@fanfare/core'

/** The devices bound last, at most so many, in the order of their ids. */
export function boundLast(devices: Device[], most: number): Device[] {
  const kept = devices.length > most ? devices.sort(byTimeBound).slice(0, most) : devices
  return kept.sort((a, b) => Number(a.id) - Number(b.id))
}

const byTimeBound = (a: Device, b: Device): number =>
  b.updatedAt.getTime() - a.updatedAt.getTime() || Number(b.id) - Number(a.id)
