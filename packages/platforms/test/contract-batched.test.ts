import { type ContractCase, platformContract } from '@fanfare/testkit/contracts'
import { byName, harnessOf, member, request } from './contract-harness.ts'

const LOST: ContractCase[] = [
  request('no answer', 'close', 'unknown'),
  request('a reset', 'reset', 'unknown'),
  request('nonsense', 'rubbish', 'unknown'),
]

platformContract(
  'huawei',
  harnessOf('huawei', {
    token: byName,
    cases: [
      request('80100003', 'refused', 'rejected'),
      member('illegal_tokens', 'gone', 'invalid'),
      request('81000001', 'error', 'deferred'),
      request('HTTP 502', 'html', 'deferred'),
      request('HTTP 503', 'busy', 'busy'),
      request('80300002', 'code-80300002', 'channel'),
      request('80200001', 'denied', 'channel'),
      ...LOST,
    ],
  }),
)

platformContract(
  'wecom',
  harnessOf('wecom', {
    token: byName,
    cases: [
      member('unlicenseduser', 'refused', 'rejected'),
      member('invaliduser', 'gone', 'invalid'),
      request('-1', 'error', 'deferred'),
      request('45009', 'busy', 'busy'),
      request('301002', 'foreign', 'channel'),
      request('40014', 'denied', 'channel'),
      ...LOST,
    ],
  }),
)
