import type { App, AppSettings } from '../../nouns/app.ts'

export type NewApp = Omit<App, 'createdAt'>

export interface AppStore {
  /** Answers false where org/name is taken. */
  insert(app: NewApp): Promise<boolean>
  byName(org: string, name: string): Promise<App | undefined>
  byIds(ids: readonly string[]): Promise<(App | undefined)[]>
  /** Channels of a disabled app read as paused for APP_DISABLED, whatever they are paused for themselves. */
  update(id: string, change: { settings?: AppSettings; clientSecretHash?: string; disabled?: boolean }): Promise<void>
  /**
   * Raises `tokensFrom` above every `iat` that was given so far: above the store's clock, and above itself. Who issues a
   * token reads the clock, then the app, and gives it the higher of both as `iat`.
   */
  endTokens(id: string): Promise<void>
}
