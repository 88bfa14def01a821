/**
 * Digests of messages: 53 bits, so that they are exact JavaScript numbers. They tell messages apart in a test run and
 * protect against nothing. What changes from one attempt to the next (times to live) is left out by the callers, so
 * that a repeated message has the digest of the first. The algorithm is cyrb53, two code units at a time.
 */

/** Looked up once: in a test's own context every look-up of a global is slow. */
const { imul } = Math
const HIGH_SEED = 0xdeadbeef
const LOW_SEED = 0x41c6ce57
const HIGH_FACTOR = 2_654_435_761
const LOW_FACTOR = 1_597_334_677

let high = HIGH_SEED
let low = LOW_SEED

/** The digest of a text. */
export function digestText(text: string): number {
  high = HIGH_SEED
  low = LOW_SEED
  mixText(text)
  return finish()
}

/** The digest of a parsed JSON value; members named in `ignored` do not count, at any depth. */
export function digestJson(value: unknown, ignored: ReadonlySet<string>): number {
  high = HIGH_SEED
  low = LOW_SEED
  mixJson(value, ignored)
  return finish()
}

/** How a digest looks in answers of the control API. */
export function digestHex(digest: number): string {
  return digest.toString(16).padStart(14, '0')
}

function mixJson(value: unknown, ignored: ReadonlySet<string>): void {
  if (typeof value !== 'object' || value === null) mixText(String(value))
  else {
    for (const key in value) {
      if (ignored.has(key)) continue
      mixText(key)
      mixJson((value as Record<string, unknown>)[key], ignored)
    }
  }
}

/** Works on local variables: the loop is the hottest of the journal. The length keeps ["ab","c"] and ["a","bc"] apart. */
function mixText(text: string): void {
  const end = text.length - 1
  let a = imul(high ^ text.length, HIGH_FACTOR)
  let b = imul(low ^ text.length, LOW_FACTOR)
  let i = 0
  for (; i < end; i += 2) {
    const code = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)
    a = imul(a ^ code, HIGH_FACTOR)
    b = imul(b ^ code, LOW_FACTOR)
  }
  if (i === end) {
    a = imul(a ^ text.charCodeAt(i), HIGH_FACTOR)
    b = imul(b ^ text.charCodeAt(i), LOW_FACTOR)
  }
  high = a
  low = b
}

function finish(): number {
  const a = imul(high ^ (high >>> 16), 2_246_822_507) ^ imul(low ^ (low >>> 13), 3_266_489_909)
  const b = imul(low ^ (low >>> 16), 2_246_822_507) ^ imul(high ^ (high >>> 13), 3_266_489_909)
  return 4_294_967_296 * (2_097_151 & b) + (a >>> 0)
}
