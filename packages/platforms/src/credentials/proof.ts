import { createPublicKey, type KeyObject } from 'node:crypto'
import { type Channel, ChannelError, type PlatformName } from '@fanfare/core'
import jwt, { type Algorithm } from 'jsonwebtoken'
import { readApnsOptions } from '../vendors/apns/options.ts'
import { readServiceAccount } from '../vendors/fcm/options.ts'
import { readHuaweiOptions } from '../vendors/huawei/options.ts'
import { readWecomOptions } from '../vendors/wecom/options.ts'
import { readXiaomiOptions } from '../vendors/xiaomi/options.ts'
import { lockedOf } from './locked.ts'

/** Of a channel, what its credential is read with. */
export type Subject = Pick<Channel, 'platform' | 'name' | 'settings'>
/** Opens what a password locks; answers it in the form in which it is kept. */
export type Unlock = (locked: NonNullable<ReturnType<typeof lockedOf>>) => string
type Proof = (subject: Subject, credential: string, unlock: Unlock) => string | Promise<string>

/** What an upload must stand; mail passwords may be anything. */
const PROOFS: Readonly<Partial<Record<PlatformName, Proof>>> = {
  apns: proveApns,
  fcm: async (_, credential) => {
    const { privateKey } = await readServiceAccount(credential)
    signs(privateKey, 'RS256')
    return credential
  },
  huawei: (subject, credential) => {
    const options = readHuaweiOptions(subject, credential)
    if ('privateKey' in options.credential) signs(options.credential.privateKey, 'PS256')
    return credential
  },
  xiaomi: (subject, credential) => {
    readXiaomiOptions(subject, credential)
    return credential
  },
  wecom: (subject, credential) => {
    readWecomOptions(subject, credential)
    return credential
  },
}

/** Platforms whose credentials hold keys: what is worked on them is worked on in a thread. */
export const hasKey = ({ platform }: Subject, credential: string): boolean =>
  platform === 'apns' || platform === 'fcm' || (platform === 'huawei' && credential.trimStart().startsWith('{'))

/** Reads a credential as the pusher will and signs once with its key. Throws ChannelError with the reason. */
export async function prove(subject: Subject, credential: string, unlock: Unlock): Promise<string> {
  const proof = PROOFS[subject.platform]
  return proof ? proof(subject, credential, unlock) : credential
}

function proveApns(subject: Subject, credential: string, unlock: Unlock): string {
  const locked = lockedOf(credential)
  const kept = locked ? unlock(locked) : credential
  const { credential: read } = readApnsOptions(subject, kept)
  if (read.kind === 'token') signs(read.key, 'ES256')
  return kept
}

function signs(key: KeyObject, algorithm: Algorithm): void {
  try {
    jwt.verify(jwt.sign({}, key, { algorithm }), createPublicKey(key), { algorithms: [algorithm] })
  } catch (error) {
    throw new ChannelError('nothing can be signed with the private key', { cause: error })
  }
}
