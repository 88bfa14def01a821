/** A place of a synchronous push at a vendor. */
export interface SyncPlace {
  /** Leaves it to others while a permit is waited for, as long as there is room to wait. */
  rest(): void
  /** False where no place is free: then a permit is of no use yet. */
  resume(): boolean
  leave(): void
}

/** The places of synchronous pushes in a process, shared by apps and channels. */
export interface SyncPlaces {
  /** One per channel, or none: then it throws a PushError, and nothing was accepted. */
  enter(appId: string, channelIds: readonly string[]): SyncPlace[]
}
