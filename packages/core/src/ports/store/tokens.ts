/** Revoked bearer tokens by their id (jti); kept until they would have expired, or until all of their app have ended. */
export interface TokenStore {
  /** False, and nothing is kept, where `of.most` of this app are kept already. */
  revoke(jti: string, expiresAt: Date, of?: { appId: string; most: number }): Promise<boolean>
  /** Those revoked since; called by every process each few seconds. */
  revokedSince(since: Date): Promise<{ jti: string; at: Date; expiresAt: Date }[]>
}
