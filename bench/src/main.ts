import { runScenario } from '@fanfare/testkit'
import { broadcast } from './broadcast/scenario.ts'
import { compare } from './compare/scenario.ts'
import { fairness } from './fairness/scenario.ts'
import { limiter } from './limiter/scenario.ts'
import { memory } from './memory/scenario.ts'
import { idleLatency } from './single/idle-latency.ts'
import { single } from './single/scenario.ts'

/** Measures: each scenario runs beside its yardstick (docs/design.md §13). */
const SCENARIOS = { single, 'idle-latency': idleLatency, broadcast, memory, fairness, limiter, compare }

process.exit(await runScenario(SCENARIOS, process.argv.slice(2)))
