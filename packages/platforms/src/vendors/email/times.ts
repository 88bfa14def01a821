/** How long a mail server may take, in milliseconds. */
export type MailTimes = {
  /** One mail, from the connection to the answer after DATA, however the server spends it. */
  mailMs: number
  /** For a free connection; then the mail is put off. */
  waitMs: number
  /** A mail that got no answer for this long says that the server stalls. */
  stallMs: number
  /** A server that stalls is left alone for this, twice as long each time, at most `mostRestMs`. */
  restMs: number
  mostRestMs: number
}

/** RFC 5321 §4.5.3.2 lets a server take minutes for each answer; one that does holds a place of all others meanwhile. */
export const MAIL_TIMES: MailTimes = {
  mailMs: 30_000,
  waitMs: 10_000,
  stallMs: 5000,
  restMs: 60_000,
  mostRestMs: 600_000,
}
