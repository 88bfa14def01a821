import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The secrets of an installation that runs by itself: made once, kept beside the data, readable by its owner only. */
export type Keys = { masterKey: string; operatorToken: string; demo?: { clientId: string; clientSecret: string } }

/** Reads `keys.json` of the data directory, or makes it. Rejects where the directory cannot be written. */
export function openKeys(dataDir: string): { keys: Keys; save(change: Partial<Keys>): void } {
  mkdirSync(dataDir, { recursive: true })
  const path = join(dataDir, 'keys.json')
  const keys: Keys = existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as Keys)
    : { masterKey: randomBytes(32).toString('base64'), operatorToken: randomBytes(24).toString('hex') }
  const save = (change: Partial<Keys>): void => {
    Object.assign(keys, change)
    writeFileSync(path, JSON.stringify(keys, null, 2), { mode: 0o600 })
  }
  save({})
  return { keys, save }
}
