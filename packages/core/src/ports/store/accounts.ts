/** Which parts of accounts an operator joined: a part is what one app has of a counting id (accounts.ts). */
export interface AccountStore {
  /** The group of each part; undefined where it stands alone. */
  joined(parts: readonly string[]): Promise<(string | undefined)[]>
  /** Puts the parts into one group, whatever they were in. */
  join(parts: readonly string[], group: string): Promise<void>
  separate(parts: readonly string[]): Promise<void>
}
