import type { Store } from '@fanfare/core'
import { readCommonConfig, storeOptions } from '@fanfare/runtime'
import { openStore } from '@fanfare/storage'

/** Channels of one step: read, sealed and written together, beside processes that work on the store. */
const STEP = 100

/** Seals every credential with the first master key that another sealed. May be cut off and repeated. */
async function reseal({ channels }: Pick<Store, 'channels'>): Promise<{ resealed: number; failed: string[] }> {
  const all = { resealed: 0, failed: [] as string[] }
  let after: string | undefined = '0'
  while (after !== undefined) {
    const { resealed, failed, next } = await channels.reseal({ after, limit: STEP })
    all.resealed += resealed
    all.failed.push(...failed)
    after = next
  }
  return all
}

async function main(): Promise<void> {
  const config = readCommonConfig(process.env)
  const store = await openStore(config.storeUrl, storeOptions(config))
  try {
    const { resealed, failed } = await reseal(store)
    process.stdout.write(`${JSON.stringify({ resealed, failed })}\n`)
    // A channel whose credential no key opens needs a new one from its app; the old key must not be thrown away yet.
    process.exitCode = failed.length > 0 ? 1 : 0
  } finally {
    await store.close()
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
