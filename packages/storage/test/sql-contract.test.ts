import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MasterKey, openStore } from '@fanfare/storage'
import { type OpenedStore, storeContract } from '@fanfare/testkit/contracts'

storeContract('SQLite in a file', async (): Promise<OpenedStore> => {
  const directory = await mkdtemp(join(tmpdir(), 'fanfare-sql-'))
  const url = `sqlite:${join(directory, 'data', 'fanfare.db')}`
  const masterKey = randomBytes(32)
  const open = (key: MasterKey = masterKey) => openStore(url, { masterKey: key })
  const store = await open()
  const close = async () => {
    await store.close()
    await rm(directory, { recursive: true, force: true })
  }
  return { store, reopen: open, url, masterKey, close }
})

storeContract(
  'SQLite in memory',
  async () => {
    const store = await openStore('sqlite::memory:', { masterKey: randomBytes(32) })
    return { store, close: () => store.close() }
  },
  { shared: false },
)
