import type { VendorName } from '../names.ts'
import { NumberColumn, NumberIndex, TextIndex } from './columns.ts'
import { digestHex } from './digest.ts'

/**
 * `arrivals`: members (tokens) of all requests. `accepted`: those the vendor took, also where the answer was lost on
 * purpose. `unique`: different messages to different tokens among them; `duplicates` = accepted − unique.
 */
export type VendorCounts = {
  requests: number
  arrivals: number
  accepted: number
  unique: number
  duplicates: number
  uniqueTokens: number
}
export type TokenCount = { vendor: VendorName; token: string; accepted: number; duplicates: number }
export type TokenArrival = { atMs: number; account: string; digest: string; accepted: boolean; request: number }

export const NO_COUNTS: Readonly<VendorCounts> = {
  requests: 0,
  arrivals: 0,
  accepted: 0,
  unique: 0,
  duplicates: 0,
  uniqueTokens: 0,
}

/** Room for 2^26 messages beside 2^27 tokens in one exact number. */
const MESSAGES = 67_108_864

/** All arrivals of one vendor. A request is written as `begin` and one `member` per token. */
export class VendorLog {
  private readonly accounts = new TextIndex()
  private readonly tokenIndex = new TextIndex()
  private readonly messages = new NumberIndex()
  private readonly digests = new NumberColumn('f64')
  /** The first message each token accepted, plus one; the pairs of token and message are kept only for later ones. */
  private readonly firstMessageOf = new NumberColumn('i32')
  private readonly laterPairs = new NumberIndex()
  private readonly requestTimes = new NumberColumn('f64')
  private readonly requestAccounts = new NumberColumn('i32')
  private readonly requestMessages = new NumberColumn('i32')
  private readonly requestMembers = new NumberColumn('i32')
  /** The token's number times two, plus one if it was accepted. */
  private readonly members = new NumberColumn('i32')
  private readonly acceptedOf = new NumberColumn('i32')
  private readonly duplicatesOf = new NumberColumn('i32')
  private accepted = 0
  private duplicates = 0
  private message = 0

  /** Begins a request; its members follow. */
  begin(account: string, atMs: number, digest: number): void {
    this.message = this.messages.idOf(digest)
    if (this.message === this.digests.length) this.digests.push(digest)
    this.requestTimes.push(atMs)
    this.requestAccounts.push(this.accounts.idOf(account))
    this.requestMessages.push(this.message)
    this.requestMembers.push(0)
  }

  /** One token of the request begun last. */
  member(token: string, accepted: boolean): void {
    const id = this.tokenIndex.idOf(token)
    if (id === this.acceptedOf.length) {
      this.acceptedOf.push(0)
      this.duplicatesOf.push(0)
      this.firstMessageOf.push(0)
    }
    this.members.push(id * 2 + (accepted ? 1 : 0))
    this.requestMembers.add(this.requestMembers.length - 1, 1)
    if (accepted) this.accept(id)
  }

  counts(): VendorCounts {
    return {
      requests: this.requestTimes.length,
      arrivals: this.members.length,
      accepted: this.accepted,
      unique: this.accepted - this.duplicates,
      duplicates: this.duplicates,
      uniqueTokens: this.tokenIndex.texts.length,
    }
  }

  *tokens(duplicatesOnly: boolean): Generator<Omit<TokenCount, 'vendor'>> {
    for (const [id, token] of this.tokenIndex.texts.entries()) {
      const duplicates = this.duplicatesOf.get(id)
      if (duplicates > 0 || !duplicatesOnly) yield { token, accepted: this.acceptedOf.get(id), duplicates }
    }
  }

  arrivalsOf(token: string): TokenArrival[] {
    const id = this.tokenIndex.find(token)
    const found: TokenArrival[] = []
    if (id === undefined) return found
    let member = 0
    for (let request = 0; request < this.requestTimes.length; request++) {
      for (const end = member + this.requestMembers.get(request); member < end; member++) {
        const value = this.members.get(member)
        if (value >> 1 === id) found.push(this.arrival(request, value % 2 === 1))
      }
    }
    return found
  }

  arrivals(account?: string): { timesMs: number[]; members: number[] } {
    const wanted = account === undefined ? -1 : (this.accounts.find(account) ?? -2)
    const timesMs: number[] = []
    const members: number[] = []
    for (let request = 0; request < this.requestTimes.length; request++) {
      if (wanted !== -1 && this.requestAccounts.get(request) !== wanted) continue
      timesMs.push(this.requestTimes.get(request))
      members.push(this.requestMembers.get(request))
    }
    return { timesMs, members }
  }

  private accept(id: number): void {
    this.accepted++
    this.acceptedOf.add(id, 1)
    if (!this.isRepeated(id)) return
    this.duplicates++
    this.duplicatesOf.add(id, 1)
  }

  private isRepeated(id: number): boolean {
    const first = this.firstMessageOf.get(id) - 1
    if (first === -1) this.firstMessageOf.add(id, this.message + 1)
    if (first === -1 || first === this.message) return first !== -1
    const before = this.laterPairs.size
    return this.laterPairs.idOf(id * MESSAGES + this.message) < before
  }

  private arrival(request: number, accepted: boolean): TokenArrival {
    return {
      atMs: this.requestTimes.get(request),
      account: this.accounts.texts[this.requestAccounts.get(request)] ?? '',
      digest: digestHex(this.digests.get(this.requestMessages.get(request))),
      accepted,
      request,
    }
  }
}

export function addCounts(a: VendorCounts, b: VendorCounts): VendorCounts {
  return {
    requests: a.requests + b.requests,
    arrivals: a.arrivals + b.arrivals,
    accepted: a.accepted + b.accepted,
    unique: a.unique + b.unique,
    duplicates: a.duplicates + b.duplicates,
    uniqueTokens: a.uniqueTokens + b.uniqueTokens,
  }
}
