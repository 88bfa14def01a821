import { type Env, optionalText, readSettings, text } from '@fanfare/runtime/settings'

const SETTINGS = {
  storeUrl: ['STORE_URL', optionalText()],
  mongoUri: ['MONGO_URI', text('sqlite::memory:')],
} as const

/** Where the example keeps its data: STORE_URL, or its alias MONGO_URI. */
export function storeUrl(env: Env = process.env): string {
  const { storeUrl, mongoUri } = readSettings(SETTINGS, env)
  return storeUrl ?? mongoUri
}
