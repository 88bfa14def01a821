import { createHash, timingSafeEqual } from 'node:crypto'
import type { App } from '@fanfare/core'

/** Compares without telling by its duration where two secrets differ. */
export const isSame = (one: string, other: string): boolean => timingSafeEqual(sha256(one), sha256(other))

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** A client secret as it is kept. */
export const secretHash = (secret: string): string => sha256(secret).toString('hex')

/** Whether this is the client secret of the app. */
export const isSecretOf = (app: App, secret: string): boolean => isSame(secretHash(secret), app.clientSecretHash)
