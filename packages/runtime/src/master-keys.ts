import { SettingError } from './settings.ts'

export type MasterKeys = {
  /** 32 bytes. Seals and signs. */
  masterKey: Buffer
  /** All that open and verify, the one that seals and signs first; absent where there is one of the old setting. */
  masterKeys?: readonly Buffer[]
}

/** Reads FANFARE_MASTER_KEY and FANFARE_MASTER_KEYS; throws a SettingError. */
export function readMasterKeys(one: string | undefined, several: string | undefined): MasterKeys {
  const list = (several ?? '')
    .split(',')
    .flatMap((text) => (text.trim() ? [keyOf('FANFARE_MASTER_KEYS', text.trim())] : []))
  const [first] = list
  if (!first) return { masterKey: keyOf('FANFARE_MASTER_KEY', one) }
  const last = one ? keyOf('FANFARE_MASTER_KEY', one) : undefined
  const isNew = last !== undefined && !list.some((key) => key.equals(last))
  return { masterKey: first, masterKeys: isNew ? [...list, last] : list }
}

function keyOf(name: string, text: string | undefined): Buffer {
  if (!text) throw new SettingError(`${name} is not set: it must be 32 bytes in base64 (openssl rand -base64 32)`)
  const key = Buffer.from(text, 'base64')
  if (key.length !== 32) throw new SettingError(`${name} must be 32 bytes in base64, it has ${key.length}`)
  return key
}
