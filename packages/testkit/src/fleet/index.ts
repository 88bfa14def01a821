export { countedOf, FleetApp, type TaskView } from './app.ts'
export { type FleetPlatform, notifierBody, packageOf } from './credentials.ts'
export { Fleet, type FleetOptions } from './fleet.ts'
export { type HttpAnswer, type HttpCall, HttpClient } from './http.ts'
export { FleetProcess, type ProcessOptions } from './process.ts'
export { FleetRedis } from './redis.ts'
export {
  type Figures,
  numberOf,
  type Options,
  oneOf,
  progress,
  round,
  runScenario,
  type Scenario,
  STORE_OPTIONS,
  storeFigures,
  storeOptions,
} from './scenario.ts'
export { apnsToken, okToken, type Seed, seedDevices, tokenNumber } from './seed.ts'
export { median, percentile, randomSeed, sleep, until } from './tools.ts'
export { readSample, Usage } from './usage.ts'
