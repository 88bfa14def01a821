/** Not now: come back after so long. */
export type Later = { afterMs: number }

export const isLater = (answer: object): answer is Later => 'afterMs' in answer
