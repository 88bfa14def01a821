/** @jest-config-loader esbuild-register */
import type { Config } from 'jest'

const config: Config = {
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
  maxWorkers: 2,
  collectCoverageFrom: ['{apps,packages}/*/src/**/*.ts', '!**/main.ts', '!**/index.ts'],
  coverageProvider: 'babel',
}
export default config
