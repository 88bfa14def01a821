export { accountOf } from './account.ts'
export { type LimiterOptions, openLimiter } from './limiter.ts'
