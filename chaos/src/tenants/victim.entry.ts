/**
 * The victim's load in a process of its own, so that what the attacker does in the scenario's process delays no request
 * and no measurement. The first argument is a VictimAddress as JSON; each message begins a phase or ends it.
 */
import { type VictimAddress, VictimLoad } from './victim-load.ts'

/** Begins a phase, or ends the one that runs: the answer is what it `Sent`. */
export type VictimOrder = { begin: string } | { end: true }

const address = JSON.parse(process.argv[2] ?? '{}') as VictimAddress
let load: VictimLoad | undefined

process.on('message', (order: VictimOrder) => {
  if ('begin' in order) load = new VictimLoad(address, order.begin)
  else void load?.stop().then((sent) => process.send?.(sent))
})
process.once('SIGTERM', () => process.exit(0))
process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
