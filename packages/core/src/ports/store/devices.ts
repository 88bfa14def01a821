import type { Device } from '../../nouns/device.ts'

export type Binding = Pick<Device, 'appId' | 'userId' | 'deviceId' | 'channelId' | 'token'> & { id: string }

export type InvalidToken = { id: string; token: string; since?: Date }

/** Ids alone: who sends reads the token when it is needed, and a page of ids is read from the index alone. */
export type DevicePage = { deviceIds: string[]; next?: string }

export type DeviceRange = { channelId: string; after: string; upToId: string; limit: number }
export type LabelRange = DeviceRange & { appId: string; labels: readonly string[] }

export interface DeviceStore {
  /**
   * Binds each; one row per (app, user, deviceId, channel), one user per (channel, token): the last binding wins.
   * `id` is used only where the row is new. Of one list's repetitions the last wins.
   */
  bind(bindings: readonly Binding[]): Promise<void>
  /** Unbinds a user's device from one channel, or from all. */
  unbind(appId: string, userId: string, deviceId: string, channelId?: string): Promise<void>
  /** Live devices of each user, in the order asked. A user with none has an empty list. */
  ofUsers(asked: readonly { appId: string; userId: string }[]): Promise<Device[][]>
  /** Which of the users exist: a user exists from the first binding or label membership (also after unbinding). */
  usersExist(asked: readonly { appId: string; userId: string }[]): Promise<boolean[]>
  byIds(ids: readonly string[]): Promise<(Device | undefined)[]>
  /** The tokens alone, for whoever sends: null where a vendor called it dead, undefined where there is no device. */
  tokens(ids: readonly string[]): Promise<(string | null | undefined)[]>
  /** Marks devices dead, each only if it still has this token and was not bound again after `since`. Answers how many. */
  markInvalid(tokens: readonly InvalidToken[]): Promise<number>
  /**
   * Live devices of one channel with `id <= upToId`, ascending by id after `after` (keyset, one index range scan).
   * `next` is the cursor of the last device of the page; absent when the range is exhausted.
   */
  page(range: DeviceRange): Promise<DevicePage>
  /**
   * The same for members of all labels (intersection), ascending by user and device; `after` '' = from the start. Only
   * the absence of `next` says that the range is exhausted: where the intersection is thin, a page may be short or empty.
   */
  labelPage(range: LabelRange): Promise<DevicePage>
  /**
   * Splits a channel's devices up to `upToId` into at most `parts` id ranges of about equal size: their lower bounds,
   * exclusive as `after` of `page`, the first is '0'.
   */
  splitPoints(channelId: string, upToId: string, parts: number): Promise<string[]>
  count(channelId: string): Promise<number>
  /** Highest device id in use ('0' where there is none): the upper bound of a plan. */
  maxId(): Promise<string>
}
