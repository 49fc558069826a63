// Members of JSON that somebody else wrote.

/** A text with something in it; everything else counts as not there. */
export function textIn(member: unknown): string | undefined {
  return typeof member === 'string' && member !== '' ? member : undefined
}
