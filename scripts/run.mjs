/** `npm run bench|chaos|simulator|reseal|example -- …`: builds what changed, then runs one of our programs from dist. */
import { build, checkNode, installDependencies, main, provideRedis } from './setup.mjs'

const PROGRAMS = {
  bench: '../bench/dist/main.js',
  chaos: '../chaos/dist/main.js',
  simulator: '../apps/simulator/dist/main.js',
  reseal: '../apps/worker/dist/reseal.js',
  example: '../examples/dist/simple.js',
}

await main(async () => {
  const [program] = process.argv.splice(2, 1)
  checkNode()
  installDependencies()
  if (program === 'bench' || program === 'chaos') provideRedis()
  build()
  await import(PROGRAMS[program])
})
