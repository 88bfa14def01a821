/**
 * What the ledger itself says of a member; every other reason is a vendor's. They are stored, so a text that was written
 * once stays one that may be read.
 */
export const SENTENCES = {
  /** The user has no device, or the device went while the push waited. */
  noBinding: 'no push binding',
  noUser: 'nobody of this id was ever bound or labelled',
  /** The channel was removed, whoever found it: a synchronous push, a worker or the sweeper. */
  noChannel: 'no notifier exist',
  deadToken: 'bad device token',
  /** The vendor's answer has nothing of this member. */
  noAnswer: 'the vendor answered nothing for this device',
  /** A chunk was ended by its sender without a result for this member. */
  noResult: 'no result',
  /** The sender of a synchronous push died. */
  abandoned: 'abandoned',
  /** The chunk ended every process that took it. */
  poison: 'poison',
} as const
