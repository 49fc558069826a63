// Is a piece of JSON text free of what two parsers read differently? RFC 7515 section 4 wants duplicate member names
// refused or the last one taken; apps behind the gate do either, so the gate refuses. Depth is bounded as well.

const MAXIMUM_DEPTH = 32
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c

/**
 * Parses a JSON object strictly: valid UTF-8, no byte order mark, an object at the top, no member name twice at any
 * depth, at most 32 levels. Answers `undefined` for anything else. The caller bounds the length.
 */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    // Before the parser, which recurses: a nest of brackets must not reach it.
    if (!isShallow(text)) return undefined
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return hasDuplicateMember(text) ? undefined : (value as Record<string, unknown>)
}

/** True while no more than the maximum of brackets are open at once. Brackets inside strings do not count. */
function isShallow(text: string): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (++depth > MAXIMUM_DEPTH) return false
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--
  }
  return true
}

/** Looks for a member name that one object has twice. `text` is valid JSON, so a string after `{` or `,` is a name. */
function hasDuplicateMember(text: string): boolean {
  const open: (Set<string> | undefined)[] = []
  let names: Set<string> | undefined
  let expectsName = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      if (expectsName && names !== undefined) {
        const name = memberName(text, at, end)
        if (names.has(name)) return true
        names.add(name)
        expectsName = false
      }
      at = end
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      open.push(names)
      names = code === OPEN_BRACE ? new Set() : undefined
      expectsName = code === OPEN_BRACE
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      names = open.pop()
      expectsName = false
    } else if (code === COMMA) expectsName = names !== undefined
  }
  return false
}

/** `"\u0061lg"` and `"alg"` are the same name: names with an escape are compared as they read. */
function memberName(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end)
  return raw.includes('\\') ? (JSON.parse(text.slice(start, end + 1)) as string) : raw
}

/** The place of the quote that ends the string which starts at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === QUOTE) return at
  }
  return text.length
}
