export { API_DEFAULTS, type ApiConfig, readConfig } from './config.ts'
export type { ApiContext, Parts } from './context.ts'
export { type SocketLimits, Sockets } from './http/sockets.ts'
export { ApiService } from './service.ts'
