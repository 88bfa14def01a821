import type { Exchange } from '../http/exchange.ts'

/** The part of the HTTPS port that one vendor answers. */
export interface HttpVendor {
  /** True if the vendor has this path (without the query string). */
  owns(path: string): boolean
  handle(exchange: Exchange): void
}

/** The path without the query string. */
export function pathOnly({ path }: Exchange): string {
  const query = path.indexOf('?')
  return query === -1 ? path : path.slice(0, query)
}
