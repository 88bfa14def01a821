/**
 * Why a channel does not send. `app`, `operator`: somebody stopped it and ends it. `credentials`: the vendor refused them,
 * a probe a minute finds out whether it works again. `quota`: the vendor's daily quota is used up until its next day.
 */
export type Pause = { by: 'app' | 'operator' | 'credentials'; reason: string } | { by: 'quota'; until: Date }

/** Of every channel of an app that the operator disabled; what it is paused for itself stands behind it. */
export const APP_DISABLED: Pause = { by: 'operator', reason: 'the app is disabled by the operator' }

const REFUSED = 'credentials refused: '
const QUOTA = 'daily quota used up until '

/** The pause in words, as the API shows it. */
export function sentenceOfPause(pause: Pause): string {
  if (pause.by === 'quota') return `${QUOTA}${pause.until.toISOString()}`
  return pause.by === 'credentials' ? `${REFUSED}${pause.reason}` : pause.reason
}

/** The pause behind such a sentence: it was stored as one by the first version. */
export function pauseOfSentence(text: string): Pause {
  if (text.startsWith(REFUSED)) return { by: 'credentials', reason: text.slice(REFUSED.length) }
  const until = text.startsWith(QUOTA) ? new Date(text.slice(QUOTA.length)) : undefined
  if (until && !Number.isNaN(until.getTime())) return { by: 'quota', until }
  return { by: 'app', reason: text }
}
