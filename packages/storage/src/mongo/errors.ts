import { StoreDownError } from '@fanfare/core'
import mongoose from 'mongoose'

const { MongoBulkWriteError, MongoServerError } = mongoose.mongo
const DUPLICATE = 11000

/** The server is away, changing its primary, or too slow: errors of the driver by name and of the server by code. */
const DOWN_NAMES = new Set([
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoServerSelectionError',
  'MongooseServerSelectionError',
  'MongoNotConnectedError',
  'MongoTopologyClosedError',
  'MongoClientClosedError',
  'MongoPoolClearedError',
  'MongoPoolClosedError',
  'MongoWaitQueueTimeoutError',
  'MongoOperationTimeoutError',
  'MongoWriteConcernError',
  'PoolClearedOnNetworkError',
])
const DOWN_CODES = new Set([6, 7, 50, 64, 89, 91, 100, 112, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436])

/** Of a socket that the driver had not yet found broken. */
const SOCKET_CODES = new Set(['EPIPE', 'ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'ETIMEDOUT', 'EHOSTUNREACH'])

/** Runs `work`; a store that does not answer is a StoreDownError, all other errors pass. */
export async function storeErrors<T>(work: () => Promise<T>, more: { nothingWritten?: boolean } = {}): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw isDown(error) ? new StoreDownError('the store does not answer', { cause: error, ...more }) : error
  }
}

/**
 * Runs `work`, which may be repeated without harm, once more where the connection broke: a standalone server has no
 * retryable writes. Not where the server was too slow or is away: then the caller has waited long enough.
 */
export async function onceMore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isDown(error) || /timeout|timed out|selection/i.test(`${(error as Error).name} ${(error as Error).message}`))
      throw error
    return work()
  }
}

/** `storeErrors` for every function of an object. */
export function guarded<T extends object>(api: T): T {
  const entries = Object.entries(api).map(([name, work]) => [
    name,
    (...args: unknown[]) => storeErrors(() => (work as (...args: unknown[]) => Promise<unknown>)(...args)),
  ])
  return Object.fromEntries(entries) as T
}

/** Which document of a bulk met an existing key, and the index it met it in. */
export type Duplicate = { index: number; key: string }

/** The duplicates of an unordered bulk: the rest of it was written. Any other error is thrown on. */
export async function duplicatesOf(bulk: Promise<unknown>): Promise<Duplicate[]> {
  try {
    await bulk
    return []
  } catch (error) {
    return duplicatesIn(error)
  }
}

/** True where a single write met an existing key. Any other error is thrown on. */
export async function isDuplicate(write: Promise<unknown>): Promise<boolean> {
  return (await duplicatesOf(write)).length > 0
}

function duplicatesIn(error: unknown): Duplicate[] {
  if (error instanceof MongoBulkWriteError) {
    const failures = [error.writeErrors].flat()
    const only = failures.every((failure) => failure.code === DUPLICATE) && !error.result.getWriteConcernError()
    if (failures.length > 0 && only) return failures.map(({ index, errmsg }) => ({ index, key: keyOf(errmsg) }))
  }
  if (error instanceof MongoServerError && error.code === DUPLICATE) return [{ index: 0, key: keyOf(error.message) }]
  throw error
}

const keyOf = (sentence: string | undefined): string => /index: (\S+)/.exec(sentence ?? '')?.[1] ?? ''

type Failure = { name?: unknown; code?: unknown; hasErrorLabel?: (label: string) => boolean }

/** By their fields: inside Jest, errors of sockets are of another realm and no `instanceof Error`. */
function isDown(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  if (error instanceof MongoBulkWriteError && isDownBulk(error)) return true
  const { name, code } = error as Failure
  if (typeof name === 'string' && DOWN_NAMES.has(name)) return true
  if (typeof code === 'number' && DOWN_CODES.has(code)) return true
  if (typeof code === 'string' && SOCKET_CODES.has(code)) return true
  return (error as Failure).hasErrorLabel?.('RetryableWriteError') ?? false
}

/** The driver puts errors of the connection into an error of the bulk, without their name, and without a code. */
const isDownBulk = (error: InstanceType<typeof MongoBulkWriteError>): boolean =>
  error.result.getWriteConcernError() !== undefined ||
  ([error.writeErrors].flat().length === 0 && error.code === undefined)
