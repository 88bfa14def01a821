/** Milliseconds since 1970 with a fraction; never goes backwards while the process runs. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now()
}
