import type { TLSSocket } from 'node:tls'

/** UID (an APNs certificate carries its topic there) or common name of the certificate a client showed. */
export function clientCertificateName(socket: TLSSocket): string | undefined {
  const { subject } = socket.getPeerCertificate()
  if (!subject) return undefined
  const { UID: userId, CN: commonName } = subject as unknown as Record<string, string | string[] | undefined>
  const name = userId ?? commonName
  return Array.isArray(name) ? name[0] : name
}
