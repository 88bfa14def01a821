/** Everything testkit takes from the environment. */
export type TestConfig = {
  /** A MongoDB server to use as it is; its databases are made by the tests. */
  mongoTestUri: string | undefined
  /** Path of a mongod that is not on PATH. */
  mongodBinary: string | undefined
  /** Services that must not be skipped, e.g. `mongo` (comma separated in FANFARE_REQUIRE). */
  required: readonly string[]
  path: string
}

export const testConfig = (env: NodeJS.ProcessEnv = process.env): TestConfig => ({
  mongoTestUri: env['MONGO_TEST_URI'] || undefined,
  mongodBinary: env['MONGOMS_SYSTEM_BINARY'] || undefined,
  required: (env['FANFARE_REQUIRE'] ?? '').split(',').map((name) => name.trim()),
  path: env['PATH'] ?? '',
})
