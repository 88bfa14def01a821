/** Where the example keeps its data: STORE_URL, or MONGO_URI as the founding documents call it. */
export const storeUrl = (env: NodeJS.ProcessEnv = process.env): string =>
  env['STORE_URL'] ?? env['MONGO_URI'] ?? 'sqlite::memory:'
