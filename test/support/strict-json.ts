// A second reader of JSON, by recursive descent (RFC 8259), to hold the product's against: it shares nothing with it.

/** Whether this is one JSON object without a member name twice in any object, no deeper than `maxDepth`. */
export function readJsonStrictly(text: string, maxDepth: number): boolean {
  let at = 0
  const space = (): void => {
    while (at < text.length && ' \t\n\r'.includes(text[at] ?? '')) at++
  }
  const take = (literal: string): boolean => {
    if (!text.startsWith(literal, at)) return false
    at += literal.length
    return true
  }
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    if (found !== undefined) at += found.length
    return found
  }

  function string(): string | undefined {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings may hold none
    const found = match(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y)
    return found?.slice(1, -1).replaceAll(/\\(?:u(.{4})|(.))/g, (_all, hex?: string, letter = '') => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
      return { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[letter as string] ?? (letter as string)
    })
  }

  function members(depth: number): boolean {
    const names: string[] = []
    space()
    if (take('}')) return true
    do {
      space()
      const name = string()
      if (name === undefined || names.includes(name)) return false
      names.push(name)
      space()
      if (!take(':') || !value(depth)) return false
      space()
    } while (take(','))
    return take('}')
  }

  function items(depth: number): boolean {
    space()
    if (take(']')) return true
    do {
      if (!value(depth)) return false
      space()
    } while (take(','))
    return take(']')
  }

  function value(depth: number): boolean {
    space()
    if (take('{')) return depth < maxDepth && members(depth + 1)
    if (take('[')) return depth < maxDepth && items(depth + 1)
    if (text[at] === '"') return string() !== undefined
    return match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y) !== undefined
  }

  space()
  if (text[at] !== '{' || !value(0)) return false
  space()
  return at === text.length
}
