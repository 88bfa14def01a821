import { type Pause, pauseOfSentence } from '@fanfare/core'

/** A pause as both stores keep it, in the column that held a sentence in the first version. */
export const pauseText = (pause: Pause): string => JSON.stringify(pause)

/** A record, or a sentence of the first version. */
export function toPause(text: string): Pause {
  if (!text.startsWith('{')) return pauseOfSentence(text)
  const pause = JSON.parse(text) as Pause
  return pause.by === 'quota' ? { by: 'quota', until: new Date(pause.until) } : pause
}
