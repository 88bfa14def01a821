export { type Connection, connect, connected, disconnect, type Patience } from './connect.ts'
export { identityOf, mastersOf, type Server, serverOf } from './servers.ts'
export { readRedisUrl } from './url.ts'
export { within } from './within.ts'
