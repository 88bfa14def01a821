const UNITS: Readonly<Record<string, number>> = { k: 1e3, kb: 2 ** 10, m: 1e6, mb: 2 ** 20, g: 1e9, gb: 2 ** 30 }

/** Bytes of a size as Redis writes it, `512mb`; undefined without one. Throws what is wrong. */
export function readBytes(text: string | undefined): number | undefined {
  if (!text) return undefined
  const found = /^(\d{1,15})(kb?|mb?|gb?)?$/i.exec(text)
  const bytes = Number(found?.[1]) * (found?.[2] ? (UNITS[found[2].toLowerCase()] ?? 0) : 1)
  if (bytes > 0) return bytes
  throw new Error(`must be a size such as 512mb or 2gb, it is ${text}`)
}
