// Reads DER (X.690): the parts of a certificate or list that node:crypto does not show. It throws where a part reaches beyond
// the end, and never reads further than it was given.

export interface Part {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
}

/** One extension (RFC 5280 section 4.2). */
export interface Extension {
  /** The object identifier, its bytes in hexadecimal. */
  readonly id: string
  readonly isCritical: boolean
  /** What the extension holds, as DER. */
  readonly value: Buffer
}

export const SEQUENCE = 0x30
const IDENTIFIER = 0x06
const BOOLEAN = 0x01
const CONSTRUCTED = 0x20

/** The part that begins here. */
export function partOf(der: Buffer, at: number): Part {
  const first = der.readUInt8(at + 1)
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes)
  const start = at + 2 + lengthBytes
  if (start + length > der.length) throw new RangeError('a part reaches beyond the end')
  return {
    tag: der.readUInt8(at),
    content: der.subarray(start, start + length),
    whole: der.subarray(at, start + length),
  }
}

/** All parts that stand side by side. */
export function partsOf(content: Buffer): readonly Part[] {
  const parts: Part[] = []
  for (let at = 0; at < content.length; ) {
    const part = partOf(content, at)
    parts.push(part)
    at += part.whole.length
  }
  return parts
}

/** The extensions in a sequence of them. */
export function extensionsOf(sequence: Buffer): readonly Extension[] {
  return partsOf(sequence).map(({ content }) => {
    const parts = partsOf(content)
    const value = parts.at(-1)?.content ?? Buffer.alloc(0)
    return {
      id: parts[0]?.content.toString('hex') ?? '',
      isCritical: parts.some((part) => part.tag === BOOLEAN && part.content[0] !== 0),
      value,
    }
  })
}

/** A distinguished name as TLS compares it: the letter case, white space and type of its texts do not count. */
export function comparableName(name: Part): string {
  if ((name.tag & CONSTRUCTED) !== 0) return `(${partsOf(name.content).map(comparableName).join()})`
  if (name.tag === IDENTIFIER) return name.content.toString('hex')
  return JSON.stringify(name.content.toString('utf8').trim().toLowerCase().replace(/\s+/g, ' '))
}
