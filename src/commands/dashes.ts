// How does a value that begins with a dash get past the parser? yargs takes a lone `-` and every value such as `-x3f` for
// flags, and one key id or jti in base64url out of 64 begins with a dash: a rule for it could not be written or lifted.

/** No argument can hold a NUL itself. */
const SHIELD = '\0'

/** Flags whose value is a name that others chose. */
const NAMES: ReadonlySet<string> = new Set(
  ['token', 'jti', 'subject', 'session', 'client', 'key-id', 'issuer', 'reason'].map((name) => `--${name}`),
)

/** Marks values that begin with a dash: a lone dash, all that follows `--`, and names after their flag. */
export function shieldDashes(given: readonly string[]): string[] {
  const end = given.indexOf('--')
  const shield = (text: string) => (text.startsWith('-') ? SHIELD + text : text)
  return given.flatMap((text, index) => {
    if (end !== -1 && index >= end) return index === end ? [] : [shield(text)]
    const isName = NAMES.has(given[index - 1] ?? '') && /^-[^-]./.test(text)
    return [text === '-' || isName ? shield(text) : text]
  })
}

/** Takes the marks off again. */
export function unshieldDashes<A>(values: A): A {
  if (typeof values === 'string') return (values.startsWith(SHIELD) ? values.slice(1) : values) as A
  if (Array.isArray(values)) return values.map(unshieldDashes) as A
  if (typeof values !== 'object' || values === null) return values
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, unshieldDashes(value)])) as A
}
