import { pbkdf2Sync } from 'node:crypto'
import { ChannelError } from '@fanfare/core'
import forge from 'node-forge'

let left = 0

/** What one file may cost from here on, over all its derivations. */
export function allowRounds(rounds: number): void {
  left = rounds
}

/** A round of PKCS#12's own derivation runs in JavaScript and takes as long as several of OpenSSL. */
const PKCS12_ROUND = 3

function spend(rounds: number): void {
  left -= Math.max(1, rounds)
  if (!(left >= 0)) throw new ChannelError('the p12 or its key asks for too many rounds of key derivation')
}

type Digest = { algorithm?: string } | string | null | undefined
type Password = string | null
type Derivations = {
  pkcs5: { pbkdf2(password: Password, salt: string, rounds: number, length: number, digest: Digest): string }
  pki: { pbe: { generatePkcs12Key(password: Password, salt: unknown, ...more: number[]): unknown } }
  pkcs12: { generateKey: Derivations['pki']['pbe']['generatePkcs12Key'] }
}

/**
 * Every derivation of node-forge is counted before it runs, those inside an encrypted part too, which nobody sees before
 * the part is opened. PBKDF2 is left to OpenSSL and takes a password's bytes as OpenSSL writes them.
 */
const { pkcs5, pki, pkcs12 } = forge as unknown as Derivations
const generate = pki.pbe.generatePkcs12Key
pkcs5.pbkdf2 = (...[password, salt, rounds, length, digest]) => {
  spend(rounds)
  const name = typeof digest === 'string' ? digest : (digest?.algorithm ?? 'sha1')
  return pbkdf2Sync(password ?? '', Buffer.from(salt, 'latin1'), rounds, length, name).toString('latin1')
}
pki.pbe.generatePkcs12Key = (...[password, salt, id = 0, rounds = 0, ...more]) => {
  spend(rounds * PKCS12_ROUND)
  return generate(password, salt, id, rounds, ...more)
}
pkcs12.generateKey = pki.pbe.generatePkcs12Key
