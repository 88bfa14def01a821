const SERVICES = ['mongo', 'redis-cluster'] as const
type Service = (typeof SERVICES)[number]

/** Everything testkit takes from the environment. */
export type TestConfig = {
  /** A MongoDB server to use as it is; its databases are made by the tests. */
  mongoTestUri: string | undefined
  /** Path of a mongod that is not on PATH. */
  mongodBinary: string | undefined
  /** Services that must not be skipped (comma separated in FANFARE_REQUIRE). */
  required: readonly Service[]
  path: string
}

export const testConfig = (env: NodeJS.ProcessEnv = process.env): TestConfig => ({
  mongoTestUri: env['MONGO_TEST_URI'] || undefined,
  mongodBinary: env['MONGOMS_SYSTEM_BINARY'] || undefined,
  required: requiredOf(env['FANFARE_REQUIRE'] ?? ''),
  path: env['PATH'] ?? '',
})

/** A name that nobody knows would require nothing. */
function requiredOf(text: string): Service[] {
  const names = text.split(',').map((name) => name.trim())
  return names.filter(Boolean).map((name) => {
    const known = SERVICES.find((each) => each === name)
    if (known === undefined) throw new Error(`FANFARE_REQUIRE names ${name}, which is none of ${SERVICES.join(', ')}`)
    return known
  })
}
