/** @jest-config-loader esbuild-register */
import { spawnSync } from 'node:child_process'
import type { Config } from 'jest'

const project: Config = {
  testEnvironment: 'node',
  // resolve workspace packages to their TypeScript sources, no build needed
  testEnvironmentOptions: { customExportConditions: ['@fanfare/source', 'node', 'node-addons'] },
  roots: ['<rootDir>/packages', '<rootDir>/apps', '<rootDir>/tests'],
  testMatch: ['**/test/**/*.test.ts', '<rootDir>/tests/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, sourceMaps: 'inline' }],
  },
  modulePathIgnorePatterns: ['/dist/'],
}

/**
 * What works on Redis runs once more on each form that Redis is run in (testkit's `redisOfProject`): of the workers'
 * suites a few, and all of them in `npm run test:long`.
 */
const WORKER = process.env['FANFARE_TEST_LONG'] ? ['**/*'] : ['deliver', 'ready', 'recover']
const ON_REDIS = [
  ...['packages/queue/test/queue', 'packages/platforms/test/**/limiter*'],
  ...WORKER.map((suite) => `apps/worker/test/${suite}`),
]
const onRedis = (form: 'sentinel' | 'cluster'): Config => ({
  ...project,
  displayName: form,
  globals: { fanfareRedis: form },
  testMatch: ON_REDIS.map((files) => `<rootDir>/${files}.test.ts`),
})

/** Version 7 or later: what a cluster is put together with. */
function hasRedis7(): boolean {
  const version = /v=(\d+)/.exec(String(spawnSync('redis-server', ['--version']).stdout))?.[1]
  return Number(version ?? 0) >= 7
}

function forms(): Config[] {
  if (hasRedis7() || process.env['FANFARE_REQUIRE']?.includes('redis-cluster'))
    return [onRedis('sentinel'), onRedis('cluster')]
  process.stderr.write('\n!!! SKIPPED: there is no redis-server of version 7 for Sentinel and Cluster !!!\n')
  return []
}

const config: Config = {
  projects: [project, ...forms()] as NonNullable<Config['projects']>,
  maxWorkers: 2,
  // Servers of other people are started, and the machine may be busy: only what hangs is to fail by time.
  testTimeout: 30_000,
  collectCoverageFrom: ['{apps,packages}/*/src/**/*.ts', '!**/main.ts', '!**/index.ts'],
  coverageProvider: 'babel',
}
export default config
