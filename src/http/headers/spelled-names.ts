// Which header does this spelling of a name stand for? Found once and then looked up, as a request has twenty of them. It must
// never hold more than a bounded part of what strangers send.

/** Headers that are one value: a second line would let two readers pick different ones. */
export const singletonNames = [
  'host',
  'content-length',
  'transfer-encoding',
  'authorization',
  'upgrade',
  'expect',
  'sec-websocket-key',
  'sec-websocket-version',
  'max-forwards',
  'content-type',
  'content-range',
  'if-range',
  'range',
  'cookie',
  'origin',
  'if-modified-since',
  'if-unmodified-since',
  'access-control-request-method',
] as const
export type SingletonName = (typeof singletonNames)[number]

/** What a spelling stands for. */
export interface SpelledName {
  /** In lower case, the same text for every request. */
  readonly name: string
  /** Its place among the singletons, where it is one. */
  readonly slot: number | undefined
}

const REMEMBERED_NAMES = 1_024
const REMEMBERED_LENGTH = 64
const TOKEN_PATTERN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const slots: ReadonlyMap<string, number> = new Map(singletonNames.map((name, index) => [name, index]))
const remembered = new Map<string, SpelledName>()

/** Whether this is a token (RFC 9110 section 5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN_PATTERN.test(text)
}

/** What the spelling stands for; undefined where it is no name at all. */
export function readName(spelling: string): SpelledName | undefined {
  const known = remembered.get(spelling)
  if (known !== undefined) return known
  if (!isToken(spelling)) return undefined
  const name = spelling.toLowerCase()
  const read = { name, slot: slots.get(name) }
  if (spelling.length > REMEMBERED_LENGTH) return read
  if (remembered.size === REMEMBERED_NAMES) remembered.clear()
  remembered.set(spelling, read)
  return read
}
