import autocannon, { type Request, type Result } from 'autocannon'

export const CONNECTIONS = 64

export type Load = {
  url: string
  /** Split evenly over the connections; each is sent once. A multiple of CONNECTIONS. */
  requests: readonly Request[]
}
export type LoadResult = {
  accepted: number
  refused: number
  startedAt: number
  endedAt: number
  p50Ms: number
  p99Ms: number
}

/** Sends every request once over 64 kept connections, each as fast as the answers come. Instants are ms since 1970. */
export async function load({ url, requests }: Load): Promise<LoadResult> {
  const share = requests.length / CONNECTIONS
  let next = 0
  const startedAt = Date.now()
  const result: Result = await autocannon({
    url,
    connections: CONNECTIONS,
    amount: requests.length,
    timeout: 30,
    setupClient: (client) => {
      client.setRequests(requests.slice(next, next + share) as Request[])
      next += share
    },
  })
  return {
    accepted: result['2xx'],
    refused: result.non2xx + result.errors,
    startedAt,
    endedAt: Date.now(),
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
  }
}
