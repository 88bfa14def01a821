import { type Opened, Owned, openCommonParts } from '@fanfare/runtime'
import type { ApiConfig } from './config.ts'
import type { Parts } from './context.ts'

/** Opens every part that is not given. Rejects where the store cannot be opened; Redis may be down. */
export async function openParts(config: ApiConfig, given: Partial<Parts>): Promise<Opened<Parts>> {
  const owned = new Owned()
  const parts = { ...given, ...(await openCommonParts(config, given, { app: 'api', owned })) }
  return { parts, close: () => owned.close() }
}
