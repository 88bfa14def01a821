import { storeContract } from '@fanfare/testkit/contracts'
import { it, jest } from '@jest/globals'
import { mongoFor, openOn } from './open-mongo.ts'

// SecantusDB is slow, and the machine may be busy.
jest.setTimeout(60_000)

const mongo = await mongoFor(false)
if (mongo) storeContract('MongoDB, a replica set', () => openOn(mongo))
else it.skip('MongoDB, a replica set', () => undefined)
