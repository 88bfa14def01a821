/** Kill this process when `point` (absent: any point) is passed for the `after`th time. */
export type Crash = { point?: string; after: number }

/**
 * The `at` override of a service. SIGKILL takes effect at once: nothing that stands behind the point runs. Every point
 * is told to the parent when it is passed for the first time.
 */
export function crashPoints(argument: string | undefined): (point: string) => void {
  const crash = argument === undefined ? undefined : (JSON.parse(argument) as Crash)
  const seen = new Set<string>()
  let passed = 0
  return (point) => {
    if (!seen.has(point)) process.send?.({ point })
    seen.add(point)
    if (!crash || (crash.point !== undefined && crash.point !== point)) return
    if (++passed >= crash.after) process.kill(process.pid, 'SIGKILL')
  }
}
