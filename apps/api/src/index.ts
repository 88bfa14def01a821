export { ApiService } from './api-service.ts'
export { API_DEFAULTS, type ApiConfig, readConfig } from './config.ts'
export type { ApiContext, Parts } from './context.ts'
export { type SocketLimits, Sockets } from './sockets.ts'
