import { startCluster } from './cluster.ts'
import { startSentinel } from './sentinel.ts'
import { type RedisForm, type RedisSet, type RedisSetOptions, startSingle } from './set.ts'

export { REDIS_FORMS, type RedisForm, type RedisSet, type RedisSetOptions } from './set.ts'

const STARTS = { single: startSingle, sentinel: startSentinel, cluster: startCluster } as const

/** Starts Redis in one of the forms that people run it in, on free ports of 127.0.0.1. */
export const startRedisSet = (form: RedisForm, options: RedisSetOptions = {}): Promise<RedisSet> =>
  STARTS[form](options)

/** In the form that Jest's project says (jest.config.ts): a suite is written once and runs on each. */
export const redisOfProject = (options: RedisSetOptions = {}): Promise<RedisSet> =>
  startRedisSet((globalThis as { fanfareRedis?: RedisForm }).fanfareRedis ?? 'single', options)
