import { platformContract } from '@fanfare/testkit/contracts'
import { byName, harnessOf, member } from './contract-harness.ts'

platformContract(
  'email',
  harnessOf('email', {
    token: (behaviour, number) => `${byName(behaviour, number)}@example.com`,
    cases: [
      member('RCPT TO 550 5.1.1', 'gone', 'invalid'),
      member('RCPT TO 552', 'refused', 'rejected'),
      member('RCPT TO 451, greylisting', 'busy', 'deferred'),
      member('RCPT TO 530', 'denied', 'channel'),
    ],
  }),
)
