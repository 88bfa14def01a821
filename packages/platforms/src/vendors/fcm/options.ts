import type { KeyObject } from 'node:crypto'
import { ChannelError } from '@fanfare/core'
import { readPrivateKey } from '../../credentials/private-key.ts'
import { jsonOf } from '../../http/http.ts'

/** The service account of a Firebase project: the JSON file that the Firebase console gives. */
export type ServiceAccount = {
  projectId: string
  clientEmail: string
  privateKey: KeyObject
  keyId: string | undefined
}

/**
 * Reads and checks a service account with firebase-admin, which is loaded only when the first FCM channel is opened.
 * `token_uri` is ignored: it comes from a tenant and would let it choose where we connect to.
 */
export async function readServiceAccount(credential: string): Promise<ServiceAccount> {
  const json = jsonOf(credential)
  if (!json) throw new ChannelError('the certificate is not the JSON of a service account')
  const privateKey = readPrivateKey(String(json['private_key'] ?? json['privateKey']), ['RSA'])
  const { cert } = await import('firebase-admin/app')
  try {
    // The key as it was read here: what a tenant wrote goes into no other parser.
    const checked: object = { ...json, private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) }
    cert(checked)
  } catch (error) {
    throw new ChannelError('the service account is incomplete', { cause: error })
  }
  const projectId = String(json['project_id'] ?? json['projectId'])
  if (!/^[A-Za-z0-9.:_-]{1,100}$/.test(projectId))
    throw new ChannelError('the project id of the service account is malformed')
  return {
    projectId,
    clientEmail: String(json['client_email'] ?? json['clientEmail']),
    privateKey,
    keyId: typeof json['private_key_id'] === 'string' ? json['private_key_id'] : undefined,
  }
}
