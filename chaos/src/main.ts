import { runScenario } from '@fanfare/testkit'
import { api } from './api.ts'
import { flushall } from './flushall.ts'
import { planner } from './planner.ts'
import { redisFailover } from './redis-failover.ts'
import { rolling } from './rolling.ts'
import { tasks } from './tasks.ts'
import { tenants } from './tenants/scenario.ts'
import { vendors } from './vendors/scenario.ts'
import { workers } from './workers.ts'

/** Breaks things: each scenario exits 0 only where its promise held; `--expect-loss` turns that round. */
const SCENARIOS = { workers, api, flushall, rolling, vendors, planner, tasks, tenants, 'redis-failover': redisFailover }

process.exit(await runScenario(SCENARIOS, process.argv.slice(2)))
