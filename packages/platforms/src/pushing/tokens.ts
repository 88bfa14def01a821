/** Longer texts are no tokens of any vendor; they would only fill requests. */
const LONGEST = 4096

/**
 * Whether a text may be a token of these characters. The length stands beside the pattern: a counted loop makes the
 * regular expression engine keep a way back per character.
 */
export const tokensOf =
  (characters: RegExp): ((token: string) => boolean) =>
  (token) =>
    token.length <= LONGEST && characters.test(token)
