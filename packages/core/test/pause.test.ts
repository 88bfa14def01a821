import { expect, it } from '@jest/globals'
import { type Pause, pauseOfSentence, sentenceOfPause } from '../src/nouns/pause.ts'

const PAUSES: [string, Pause][] = [
  ['disabled by the app', { by: 'app', reason: 'disabled by the app' }],
  ['credentials refused: 21301 app secret', { by: 'credentials', reason: '21301 app secret' }],
  ['daily quota used up until 2026-11-22T16:00:00.000Z', { by: 'quota', until: new Date('2026-11-22T16:00:00Z') }],
]

it.each(PAUSES)('"%s" is the sentence of a pause, and is read again as that pause', (sentence, pause) => {
  expect(sentenceOfPause(pause)).toBe(sentence)
  expect(pauseOfSentence(sentence)).toEqual(pause)
})

it('reads a sentence that only begins like one of the vendor as the words of somebody', () => {
  const reason = 'daily quota used up until tomorrow'
  expect(pauseOfSentence(reason)).toEqual({ by: 'app', reason })
})
