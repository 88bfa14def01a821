import type { Channel, ChannelAccount, PlatformName } from '../../nouns/channel.ts'
import type { Pause } from '../../nouns/pause.ts'

export type NewChannel = Omit<Channel, 'createdAt' | 'updatedAt'>

export interface ChannelStore {
  /**
   * Seals `credential` (AES-256-GCM, AAD = app and channel) and writes both; false where (app, name) is taken, 'full'
   * where the app has `most` channels.
   */
  insert(channel: NewChannel, credential: string, most?: number): Promise<boolean | 'full'>
  ofApp(appId: string): Promise<Channel[]>
  byIds(ids: readonly string[]): Promise<(Channel | undefined)[]>
  /** `pause: null` resumes. Answers the channel as it stands now. */
  update(
    id: string,
    change: {
      limits?: Channel['limits']
      settings?: Channel['settings']
      pause?: Pause | null
      credential?: string
      account?: ChannelAccount
    },
  ): Promise<Channel | undefined>
  /** Says whose limit the channel counts against. Its `updatedAt` stays: nothing changed that a pusher is opened with. */
  assign(id: string, account: ChannelAccount): Promise<void>
  /** The channels of all apps with this counting id, the oldest first. */
  ofAccount(platform: PlatformName, accountId: string): Promise<Channel[]>
  /** Keyed hash of a secret, `keyId.hash`: the same for the same secret, and no help in guessing it without the master key. */
  proofOf(secret: string): string
  /** Removes the channel and its devices. */
  remove(id: string): Promise<boolean>
  /**
   * Seals credentials anew that another key than the first sealed: those of up to `limit` channels after `after`, in order
   * of their ids. One that is changed meanwhile is left as it was changed. `failed`: no key opens them. May be repeated.
   */
  reseal(query: { after: string; limit: number }): Promise<Resealed>
  /** The opened credential; rejects with SealError where the row was tampered with or the key is another. */
  credential(id: string): Promise<string | undefined>
}

/** `next` is absent when there are no more channels. */
export type Resealed = { resealed: number; failed: string[]; next?: string }
