/** The address comes as the first argument: a yardstick reads no environment. */
export function redisOptions(): { host: string; port: number; maxRetriesPerRequest: null } {
  const url = new URL(process.argv[2] ?? '')
  return { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null }
}
