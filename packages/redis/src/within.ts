/**
 * What `work` answers; where it takes longer than `ms`, what `late` answers or throws. The work goes on then: its outcome
 * is unknown, and a later error of it is nobody's.
 */
export function within<T, L>(ms: number, work: Promise<T>, late: () => L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      try {
        resolve(late())
      } catch (error) {
        reject(error as Error)
      }
    }, ms)
    const settle =
      <V>(end: (value: V) => void) =>
      (value: V) => {
        clearTimeout(timer)
        end(value)
      }
    work.then(settle(resolve), settle(reject))
  })
}
