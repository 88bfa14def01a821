/** An API whose places of synchronous pushes are whose comes first, and are held while a permit is waited for. */
import { PushError } from '@fanfare/core'
import { runApi } from './run-api.ts'

const PLACES = 200
let taken = 0

await runApi({
  syncPlaces: {
    enter: (_appId, channelIds) => {
      if (taken >= PLACES) throw new PushError('OVERLOADED', {}, { retryAfterSeconds: 1 })
      taken++
      let held = true
      const leave = () => {
        if (held) taken--
        held = false
      }
      return channelIds.map(() => ({ rest: () => undefined, resume: () => true, leave }))
    },
  },
})
