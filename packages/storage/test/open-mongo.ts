import { randomBytes } from 'node:crypto'
import { StoreDownError } from '@fanfare/core'
import { Make, type MongoService, startMongo } from '@fanfare/testkit'
import type { OpenedStore } from '@fanfare/testkit/contracts'
import { expect } from '@jest/globals'
import mongoose from 'mongoose'
import { openStore } from '../src/index.ts'
import { LossyProxy } from './lossy-proxy.ts'

/** Top-level in a test file: the server to test on, or undefined where there is none (a loud line was printed). */
export const mongoFor = (standalone: boolean): Promise<MongoService | undefined> => startMongo({ standalone })

export const MASTER_KEY = randomBytes(32)

/** A store, another one whose connection can be broken, and the database itself. */
export async function openLossy(url: string) {
  const proxy = await LossyProxy.start(url)
  const store = await openStore(url, { masterKey: MASTER_KEY })
  const lossy = await openStore(proxy.urlOf(url), { masterKey: MASTER_KEY })
  const raw = await mongoose.createConnection(url).asPromise()
  const close = async () => {
    await Promise.all([store.close(), lossy.close(), raw.close()])
    await proxy.close()
  }
  return { proxy, store, lossy, raw, make: new Make(store), close }
}

/** An empty store in a database of its own; closing it stops the server too. */
export async function openOn(mongo: MongoService): Promise<OpenedStore> {
  const store = await openStore(mongo.url, { masterKey: MASTER_KEY })
  return {
    store,
    reopen: (masterKey = MASTER_KEY) => openStore(mongo.url, { masterKey }),
    url: mongo.url,
    masterKey: MASTER_KEY,
    async dieBeforeCommit(...page) {
      const proxy = await LossyProxy.start(mongo.url)
      const dying = await openStore(proxy.urlOf(mongo.url), { masterKey: MASTER_KEY })
      proxy.loseNext('request', ['update', 'ranges', 'planned'], true)
      await expect(dying.tasks.addPlanned(...page)).rejects.toThrow(StoreDownError)
      await dying.close()
      await proxy.close()
    },
    async close() {
      await store.close()
      await mongo.stop()
    },
  }
}
