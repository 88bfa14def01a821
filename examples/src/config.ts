/** Where the example keeps its data: STORE_URL, or its alias MONGO_URI. */
export const storeUrl = (env: NodeJS.ProcessEnv = process.env): string =>
  env['STORE_URL'] ?? env['MONGO_URI'] ?? 'sqlite::memory:'
