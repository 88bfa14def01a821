import { storeUrlOf } from '@fanfare/runtime'

/** Where the example keeps its data. */
export const storeUrl = (): string => storeUrlOf(process.env, 'sqlite::memory:')
