export type Address = { host: string; port: number }
type Login = { username?: string; password?: string }
/** Files in PEM: who signed the server's certificate, and what proves this client. */
export type Tls = { ca?: string; cert?: string; key?: string; servername?: string }

/** Where Redis is, as REDIS_URL says it. */
export type RedisPlace = Login & {
  form: 'single' | 'sentinel' | 'cluster'
  /** Of the server, of the Sentinels, or of some nodes of the cluster. */
  addresses: readonly [Address, ...Address[]]
  db: number
  tls?: Tls
  /** The name that the Sentinels know the master by. */
  master?: string
  sentinel?: Login
}

const SCHEMES = { redis: 'single', rediss: 'single', 'redis+sentinel': 'sentinel', 'redis+cluster': 'cluster' } as const
const FORMS = 'redis://, rediss://, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port'
const PORTS = { single: 6379, sentinel: 26_379, cluster: 6379 } as const
const TLS_PARAMETERS = ['ca', 'cert', 'key', 'servername'] as const
const PARAMETERS = ['tls', 'db', 'sentinelUser', 'sentinelPassword', ...TLS_PARAMETERS] as const
type Parameters = Partial<Record<(typeof PARAMETERS)[number], string>>

const URL_PARTS =
  /^(?<scheme>[a-z+]+):\/\/(?:(?<login>[^@/?]*)@)?(?<hosts>[^/?]*)(?:\/(?<path>[^?]*))?(?:\?(?<query>.*))?$/

/** Answers the URL as it is. Throws what is wrong with it, a sentence that begins with its verb, without the password. */
export function readRedisUrl(url: string): string {
  placeOf(url)
  return url
}

/** Throws what is wrong, a sentence that begins with its verb. */
export function placeOf(url: string): RedisPlace {
  const parts = URL_PARTS.exec(url)?.groups
  const form = SCHEMES[parts?.['scheme'] as keyof typeof SCHEMES]
  if (!parts || form === undefined) throw new Error(`must begin with ${FORMS}`)
  const given = parametersOf(parts['query'] ?? '')
  const tls = tlsOf(given, parts['scheme'] === 'rediss')
  return {
    form,
    addresses: addressesOf(parts['hosts'] ?? '', form),
    ...loginOf(parts['login'] ?? ''),
    ...pathOf(form, decoded(parts['path'] ?? ''), given),
    ...(tls && { tls }),
  }
}

function addressesOf(hosts: string, form: RedisPlace['form']): [Address, ...Address[]] {
  const [first, ...others] = hosts.split(',').map((host) => addressOf(host, PORTS[form])) as [Address, ...Address[]]
  if (form === 'single' && others.length > 0)
    throw new Error('names several hosts: say redis+cluster or redis+sentinel')
  return [first, ...others]
}

function addressOf(text: string, otherwise: number): Address {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*))(?::(\d+))?$/.exec(text)
  const port = Number(parts?.[3] ?? otherwise)
  if (!parts || port < 1 || port > 65_535) throw new Error(`names a host that is not host:port: ${text}`)
  return { host: parts[1] ?? (parts[2] || '127.0.0.1'), port }
}

function loginOf(login: string): Login {
  const colon = login.indexOf(':')
  const username = decoded(colon < 0 ? login : login.slice(0, colon))
  const password = colon < 0 ? '' : decoded(login.slice(colon + 1))
  return { ...(username && { username }), ...(password && { password }) }
}

function pathOf(
  form: RedisPlace['form'],
  path: string,
  given: Parameters,
): Pick<RedisPlace, 'db' | 'master' | 'sentinel'> {
  if (form === 'sentinel') {
    if (!path) throw new Error('names no master: redis+sentinel://host:port,host:port/name')
    const username = given.sentinelUser
    const password = given.sentinelPassword
    const sentinel = { ...(username && { username }), ...(password && { password }) }
    return { master: path, sentinel, db: dbOf(given.db ?? '0') }
  }
  if (given.sentinelUser !== undefined || given.sentinelPassword !== undefined) {
    throw new Error('gives sentinelUser or sentinelPassword without redis+sentinel')
  }
  const db = dbOf(path || (given.db ?? '0'))
  if (form === 'cluster' && db !== 0) throw new Error('names a database: a cluster has only 0')
  return { db }
}

function dbOf(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new Error(`names a database that is no number: ${text}`)
  return Number(text)
}

function tlsOf(given: Parameters, isSecure: boolean): Tls | undefined {
  if (given.tls !== undefined && given.tls !== 'true') throw new Error(`gives tls=${given.tls}: only tls=true is known`)
  const tls: Tls = {}
  for (const name of TLS_PARAMETERS) if (given[name]) tls[name] = given[name]
  if (isSecure || given.tls) return tls
  if (Object.keys(tls).length > 0)
    throw new Error(`gives ${Object.keys(tls)[0]} without TLS: say rediss:// or tls=true`)
  return undefined
}

function parametersOf(query: string): Parameters {
  const given: Parameters = {}
  for (const [name, value] of new URLSearchParams(query)) {
    const known = PARAMETERS.find((each) => each === name)
    if (known === undefined) throw new Error(`gives ${name}, which is none of ${PARAMETERS.join(', ')}`)
    given[known] = value
  }
  return given
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Error('has a % that is not followed by two hex digits')
  }
}
