export type PemBlock = { label: string; body: string }

const BEGIN = '-----BEGIN '
const DASHES = '-----'
const MOST_LABEL = 40
/** A certificate with its chain and key has a handful. */
const MOST_BLOCKS = 16

/** The blocks of a PEM text in their order, what stands between them left out. One pass, whatever the text is. */
export function pemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = []
  for (let at = 0; blocks.length < MOST_BLOCKS; ) {
    const begin = text.indexOf(BEGIN, at)
    if (begin < 0) break
    const label = text.slice(begin + BEGIN.length, begin + BEGIN.length + MOST_LABEL).split(DASHES)[0] ?? ''
    const from = begin + BEGIN.length + label.length + DASHES.length
    const end = text.indexOf(`${DASHES}END ${label}${DASHES}`, from)
    if (end < 0) break
    blocks.push({ label, body: text.slice(from, end) })
    at = end
  }
  return blocks
}

/** The bytes of a block; Node skips what is not base64, and the DER reader refuses what comes of it. */
export const bytesOf = ({ body }: PemBlock): Buffer => Buffer.from(body, 'base64')

export function pemOf(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `${BEGIN}${label}${DASHES}\n${lines.join('\n')}\n${DASHES}END ${label}${DASHES}\n`
}
