/** `npm test`: sets up what a fresh clone lacks, then runs Jest with the arguments given. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { build, checkNode, installDependencies, main, provideRedis, ROOT } from './setup.mjs'

await main(async () => {
  checkNode()
  installDependencies()
  provideRedis()
  // Scenarios and process tests run the built programs.
  build()
  const jest = join(ROOT, 'node_modules/jest/bin/jest.js')
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const { status } = spawnSync(process.execPath, [...flags, jest, ...process.argv.slice(2)], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
})
