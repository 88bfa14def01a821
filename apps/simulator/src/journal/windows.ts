/** What a limit looks like from the vendor's side. `windowsOver`: sliding windows that hold more than the limit. */
export type WindowCount = { windowsOver: number; windows: number; arrivals: number; maxInWindow: number }

/**
 * Counts sliding windows `[t, t + windowMs)`, one beginning at each request: no window that begins elsewhere holds
 * more than the fullest of these. `weights[i]` is what the request at `timesMs[i]` costs.
 */
export function countWindows(
  timesMs: ArrayLike<number>,
  weights: ArrayLike<number>,
  limit: number,
  windowMs: number,
): WindowCount {
  const count: WindowCount = { windowsOver: 0, windows: timesMs.length, arrivals: 0, maxInWindow: 0 }
  let inWindow = 0
  let end = 0
  for (let start = 0; start < timesMs.length; start++) {
    const endMs = (timesMs[start] as number) + windowMs
    while (end < timesMs.length && (timesMs[end] as number) < endMs) inWindow += weights[end++] as number
    if (inWindow > limit) count.windowsOver++
    count.maxInWindow = Math.max(count.maxInWindow, inWindow)
    count.arrivals += weights[start] as number
    inWindow -= weights[start] as number
  }
  return count
}
