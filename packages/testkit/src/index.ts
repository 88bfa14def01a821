export * from './fleet/index.ts'
export * as forgeries from './forgeries.ts'
export * from './make.ts'
export * from './services.ts'
