// A token as people paste it: with the scheme in front, in quotes, with a line end. It must never print any of it.

/** The token in what was given, or what is wrong with it, for a person. */
export function readTokenArgument(given: string): { readonly token: string } | { readonly problem: string } {
  const token = given
    .trim()
    .replace(/^authorization\s*:\s*/i, '')
    .replace(/^(["'`])(.*)\1$/s, '$2')
    .trim()
    .replace(/^bearer\s+/i, '')
    .replace(/^(["'`])(.*)\1$/s, '$2')
    .trim()
  if (token === '' || /^bearer$/i.test(token)) return { problem: 'there is none: the text is empty' }
  if (/\s/.test(token)) return { problem: 'it has white space inside, as two tokens or a line that was broken do' }
  if (token.includes('…') || token.includes('...'))
    return { problem: 'it was cut short: "…" stands where a part of it was' }
  return { token }
}
