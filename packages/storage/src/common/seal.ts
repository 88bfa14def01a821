import { createCipheriv, createDecipheriv, createHmac, hash, hkdfSync, randomBytes } from 'node:crypto'
import { SealError } from '@fanfare/core'

/**
 * Envelope encryption of credentials (docs/reliability.md §4.2). Each sealing makes a random 256-bit data key (DEK);
 * the credential is encrypted with it and it is wrapped with the key-encryption key (KEK) named `kid`. Both are
 * AES-256-GCM with random 96-bit nonces and bound to app, channel and KEK by their additional data, so a record moved
 * to another row does not open.
 */
export type Sealed = {
  v: 1
  kid: string
  /** Base64, as all below. */
  wrappedDek: string
  dekNonce: string
  dekTag: string
  nonce: string
  ct: string
  tag: string
}

/** Whose credential it is; part of the additional data. */
export type SealScope = { appId: string; channelId: string }

/**
 * One key of 32 bytes; or a list, of which the first seals what is new and all open; or several by their id, one of which
 * seals.
 */
export type MasterKey = Buffer | readonly Buffer[] | { keys: Readonly<Record<string, Buffer>>; current: string }

const KEY_BYTES = 32
const NONCE_BYTES = 12
const FIELD = 'credential'

/** What a single key calls itself. A list names keys by what they are, so that each record says which one opens it. */
const SINGLE = 'k1'

/** Seals and opens credentials with the master key. Throws SealError for a key that is not 32 bytes long. */
export class Sealer {
  readonly #keys = new Map<string, Buffer>()
  readonly #current: string

  constructor(master: MasterKey) {
    const { keys, current } = named(master)
    for (const [kid, key] of Object.entries(keys)) this.#keys.set(kid, checkedKey(kid, key))
    if (!this.#keys.has(current)) throw new SealError(`there is no master key '${current}'`)
    this.#current = current
  }

  /** Whether the key that seals what is new sealed this. */
  isCurrent(sealed: Sealed): boolean {
    return sealed?.kid === this.#current
  }

  seal(text: string, scope: SealScope): Sealed {
    const kid = this.#current
    const aad = additionalData(scope, kid)
    const dek = randomBytes(KEY_BYTES)
    const body = encrypt(dek, aad, Buffer.from(text, 'utf8'))
    const wrapped = encrypt(this.#kek(kid), aad, dek)
    dek.fill(0)
    return {
      v: 1,
      kid,
      wrappedDek: wrapped.ct,
      dekNonce: wrapped.nonce,
      dekTag: wrapped.tag,
      nonce: body.nonce,
      ct: body.ct,
      tag: body.tag,
    }
  }

  /** Throws SealError where a byte was changed, the record belongs to another row, or its key is not here. */
  open(sealed: Sealed, scope: SealScope): string {
    if (sealed?.v !== 1) throw new SealError('unknown version of a sealed credential')
    const aad = additionalData(scope, sealed.kid)
    try {
      return decrypt(this.#dek(sealed, aad), aad, sealed).toString('utf8')
    } catch (error) {
      if (error instanceof SealError) throw error
      throw new SealError(`the credential of channel ${scope.channelId} does not open`, { cause: error })
    }
  }

  /** Keyed, so that a short secret cannot be found by trying: `kid.hash`. */
  proofOf(secret: string): string {
    const kid = this.#current
    const key = hkdfSync('sha256', this.#kek(kid), '', 'fanfare credential proof', KEY_BYTES)
    return `${kid}.${createHmac('sha256', Buffer.from(key)).update(secret).digest('base64url')}`
  }

  #dek(sealed: Sealed, aad: Buffer): Buffer {
    const wrapped = { ct: sealed.wrappedDek, nonce: sealed.dekNonce, tag: sealed.dekTag }
    if (sealed.kid !== SINGLE || this.#keys.has(SINGLE)) return decrypt(this.#kek(sealed.kid), aad, wrapped)
    // Sealed when there was one key: which of these it was the record does not say.
    let failed: unknown
    for (const key of this.#keys.values()) {
      try {
        return decrypt(key, aad, wrapped)
      } catch (error) {
        failed = error
      }
    }
    throw failed
  }

  #kek(kid: string): Buffer {
    const key = this.#keys.get(kid)
    if (!key) throw new SealError(`there is no master key '${kid}'`)
    return key
  }
}

function named(master: MasterKey): { keys: Readonly<Record<string, Buffer>>; current: string } {
  if (Buffer.isBuffer(master)) return { keys: { [kidOf(master)]: master, [SINGLE]: master }, current: SINGLE }
  if (!isList(master)) return master
  const [first] = master
  if (!first) throw new SealError('there is no master key')
  return { keys: Object.fromEntries(master.map((key) => [kidOf(key), key])), current: kidOf(first) }
}

const isList = (master: Exclude<MasterKey, Buffer>): master is readonly Buffer[] => Array.isArray(master)

/** A name that says nothing of the key but which one it is. */
const kidOf = (key: Buffer): string => `k${hash('sha256', Buffer.concat([KID, key])).slice(0, 16)}`
const KID = Buffer.from('fanfare master key id|')

type Box = { ct: string; nonce: string; tag: string }

const additionalData = (scope: SealScope, kid: string): Buffer =>
  Buffer.from(`v1|${scope.appId}|${scope.channelId}|${FIELD}|${kid}`, 'utf8')

function encrypt(key: Buffer, aad: Buffer, clear: Buffer): Box {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad)
  const ct = Buffer.concat([cipher.update(clear), cipher.final()])
  return { ct: ct.toString('base64'), nonce: nonce.toString('base64'), tag: cipher.getAuthTag().toString('base64') }
}

/** The tag's length is fixed: GCM would otherwise take a tag cut to four bytes. */
function decrypt(key: Buffer, aad: Buffer, box: Box): Buffer {
  const options = { authTagLength: 16 }
  const decipher = createDecipheriv('aes-256-gcm', key, bytes(box.nonce), options).setAAD(aad)
  decipher.setAuthTag(bytes(box.tag))
  return Buffer.concat([decipher.update(bytes(box.ct)), decipher.final()])
}

/** Base64 as we write it; anything else was changed. Node ignores characters that are not base64. */
function bytes(text: string): Buffer {
  const buffer = Buffer.from(text, 'base64')
  if (buffer.toString('base64') !== text) throw new SealError('a sealed credential is not base64')
  return buffer
}

function checkedKey(kid: string, key: Buffer): Buffer {
  if (key.length !== KEY_BYTES) throw new SealError(`master key '${kid}' has ${key.length} bytes instead of 32`)
  return key
}

/** The credential sealed anew, undefined where it need not be, 'failed' where it does not open. */
export function resealed(sealer: Sealer, scope: SealScope, read: () => Sealed): Sealed | 'failed' | undefined {
  try {
    const sealed = read()
    return sealer.isCurrent(sealed) ? undefined : sealer.seal(sealer.open(sealed, scope), scope)
  } catch (error) {
    if (error instanceof SealError) return 'failed'
    throw error
  }
}
