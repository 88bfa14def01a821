/** Reads `application/x-www-form-urlencoded`; a name that comes twice keeps its last value. */
export function parseForm(body: string): Map<string, string> {
  const form = new Map<string, string>()
  for (const pair of body.split('&')) {
    const at = pair.indexOf('=')
    if (at > 0) form.set(decode(pair.slice(0, at)), decode(pair.slice(at + 1)))
  }
  return form
}

/** Most parts need no decoding, and in a list of tokens only the commas do: the general way takes many times as long. */
function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  const listed = spaced.replaceAll('%2C', ',')
  if (!listed.includes('%')) return listed
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}
