export { COMMON_DEFAULTS, type CommonConfig, readCommonConfig, storeUrlOf } from './config.ts'
export { openLog } from './log.ts'
export { type CommonParts, type Opened, Owned, openCommonParts, storeOptions } from './parts.ts'
export { runProgram } from './run.ts'
export {
  type Env,
  oneOf,
  optionalText,
  port,
  readBy,
  readSettings,
  SettingError,
  text,
  wholeNumber,
} from './settings.ts'
