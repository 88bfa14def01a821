export { readConfig, type StandaloneConfig } from './config.ts'
export { openKeys } from './keys.ts'
export { StandaloneService } from './service.ts'
