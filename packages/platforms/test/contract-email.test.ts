import { platformContract } from '@fanfare/testkit/contracts'
import { byName, harnessOf, member } from './contract-harness.ts'

const token = (behaviour: string, number: number) => `${byName(behaviour, number)}@example.com`
const cases = [
  member('RCPT TO 550 5.1.1', 'gone', 'invalid'),
  member('RCPT TO 552', 'refused', 'rejected'),
  member('RCPT TO 451, greylisting', 'busy', 'deferred'),
  member('RCPT TO 530', 'denied', 'channel'),
]
/** A worker hands over 25 mails at once; on a busy machine 2,500 need longer than one may wait for a connection. */
const mailTimes = { waitMs: 120_000 }

platformContract('email', harnessOf('email', { token, cases }, { mailTimes }))
