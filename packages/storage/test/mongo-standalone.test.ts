import { storeContract } from '@fanfare/testkit/contracts'
import { it, jest } from '@jest/globals'
import { mongoFor, openOn } from './open-mongo.ts'

// SecantusDB is slow, and the machine may be busy.
jest.setTimeout(60_000)

const mongo = await mongoFor(true)
if (mongo) storeContract('MongoDB, a standalone server', () => openOn(mongo))
else it.skip('MongoDB, a standalone server', () => undefined)
