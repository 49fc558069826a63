// The one definition of a name that a revocation rule can say. A token whose names no rule could say would be one that nobody can
// take back, so tokens and rules ask the same question.

export const MAXIMUM_NAME_BYTES = 1024

/**
 * Tells whether a text can be the value of a rule: not empty, at most 1024 bytes, well-formed Unicode (Redis would merge lone
 * surrogates into one replacement character) and free of control characters, which could split a line somewhere.
 */
export function isNameable(text: unknown): text is string {
  return (
    typeof text === 'string' &&
    text !== '' &&
    text.length <= MAXIMUM_NAME_BYTES &&
    text.isWellFormed() &&
    !hasControlCharacter(text) &&
    Buffer.byteLength(text) <= MAXIMUM_NAME_BYTES
  )
}

/** Tells whether a text holds a control character: C0, DEL or C1. */
export function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true
  }
  return false
}
