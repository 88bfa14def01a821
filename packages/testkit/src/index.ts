export * from './fleet/index.ts'
export * from './make.ts'
export * from './services.ts'
