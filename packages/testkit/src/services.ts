/** Starts what tests, benches and the quick start need on this machine: Redis and MongoDB on free ports of 127.0.0.1. */
export { freePort, REPO_ROOT, tempDir } from './files.ts'
export { type MongoOptions, type MongoService, startMongo } from './mongo.ts'
export { ensureMongo, type MongoSource } from './mongo-setup.ts'
export { answersPing, type RedisOptions, type RedisService, startRedis } from './redis.ts'
export * from './redis-sets/index.ts'
