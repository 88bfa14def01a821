/** One place where one user can be reached. A token belongs to one user of a channel: the last binding wins. */
export type Device = {
  id: string
  appId: string
  userId: string
  deviceId: string
  channelId: string
  token: string
  /** False once a vendor said that the token is dead; a new binding makes it live again. */
  live: boolean
  updatedAt: Date
}
