/** `npm run quickstart`: sets up what a fresh clone lacks, builds, and runs apps/standalone with a demo. */
import { build, checkNode, installDependencies, main, provideRedis } from './setup.mjs'

await main(async () => {
  checkNode()
  installDependencies()
  provideRedis()
  build()
  await import('../apps/standalone/dist/quickstart.js')
})
