export { type LimiterOptions, openLimiter } from './limiter.ts'
