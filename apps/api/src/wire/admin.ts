import type { App } from '@fanfare/core'
import { z } from 'zod'
import type { NewSecret } from '../operations/apps.ts'
import { appPart } from './names.ts'

export const newApp = z.looseObject({ org_name: appPart, app_name: appPart })
const whole = (most: number) => z.int().min(0).max(most).optional()

/** Settings an operator may change (`AppSettings`); `requestsPerMinute` 0 = no limit. */
export const appSettings = z.strictObject({
  maxRunningTasks: whole(1_000_000),
  maxBacklog: whole(10_000_000),
  maxNotifiers: whole(10_000),
  maxTasksPer5Min: whole(1_000_000),
  maxLabels: whole(100_000),
  maxLabelsPerPush: whole(20),
  requestsPerMinute: whole(10_000_000),
})

export const appView = (app: App) => ({
  org_name: app.org,
  app_name: app.name,
  application: app.id,
  client_id: app.clientId,
  settings: app.settings,
  disabled: app.disabled === true,
  ...(app.tokensFrom !== undefined && { tokens_from: app.tokensFrom * 1000 }),
  created: app.createdAt.getTime(),
})

/** Shown once. */
export const secretView = ({ clientId, clientSecret }: NewSecret) => ({
  client_id: clientId,
  client_secret: clientSecret,
})
