/** The contract suites. Apart from index.ts, because @jest/globals can be imported only inside Jest. */

export {
  CONTRACT_SIZES,
  type ContractCase,
  type PlatformHarness,
  platformContract,
} from './platform-contract.ts'
export { type OpenedStore, storeContract } from './store-contract.ts'
