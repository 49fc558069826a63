// What does an answer of Redis say? Reads the shapes that the commands of this folder answer with. Throws where an answer is
// something else: what cannot be read is an outage, never "nothing there".

/** An entry of a stream, as Redis holds it: fields and their content in turn. */
export interface StreamEntry {
  readonly id: string
  readonly fields: readonly string[]
}

/** The entries of an XRANGE. */
export function entriesOf(reply: unknown): readonly StreamEntry[] {
  if (!Array.isArray(reply)) throw new Error('Cannot read the log: the answer is not a list of entries')
  return reply.map((entry: unknown) => {
    const [id, fields] = Array.isArray(entry) ? (entry as unknown[]) : []
    if (typeof id !== 'string') throw new Error('Cannot read the log: an entry has no id')
    return { id, fields: Array.isArray(fields) ? fields.map(String) : [] }
  })
}

/** The entries of an XREAD of one stream, which answers nothing where there are none. */
export function entriesOfRead(reply: unknown): readonly StreamEntry[] {
  if (reply === null || reply === undefined) return []
  const stream: unknown = Array.isArray(reply) ? reply[0] : undefined
  return entriesOf(Array.isArray(stream) ? stream[1] : undefined)
}

/** A count: a number, or digits as a key holds them. */
export function countOf(reply: unknown): number {
  const count = typeof reply === 'number' || (typeof reply === 'string' && reply !== '') ? Number(reply) : Number.NaN
  if (!Number.isSafeInteger(count)) throw new Error('Cannot read a count from Redis: the answer is not a whole number')
  return count
}

/** The fields of an HMGET, in the order asked for. */
export function fieldsOf(reply: unknown, count: number): readonly (string | null)[] {
  const isList = Array.isArray(reply) && reply.length === count
  if (!isList || !reply.every((text): text is string | null => text === null || typeof text === 'string')) {
    throw new Error('Cannot read a rule from Redis: the answer is not a list of the fields that were asked for')
  }
  return reply
}

/** The fields of an HGETALL with their content; ioredis makes an object of them. */
export function pairsOf(reply: unknown): readonly (readonly [field: string, text: string])[] {
  const pairs = typeof reply === 'object' && reply !== null && !Array.isArray(reply) ? Object.entries(reply) : undefined
  if (!pairs?.every((pair): pair is [string, string] => typeof pair[1] === 'string')) {
    throw new Error('Cannot read a hash from Redis: the answer is not fields and their content')
  }
  return pairs
}

/** The milliseconds of a TIME. */
export function millisecondsOf(reply: unknown): number {
  const milliseconds = Array.isArray(reply) ? Number(reply[0]) * 1000 + Number(reply[1]) / 1000 : Number.NaN
  if (!Number.isFinite(milliseconds)) throw new Error('Cannot read the clock of Redis: the answer is not a pair')
  return milliseconds
}
