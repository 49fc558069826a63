// A second reader of HTTP/1.1 requests (RFC 9112), to hold what is forwarded against: it takes nothing that two readers
// could take differently, and shares nothing with the product or with Node's parser.

export interface StrictReading {
  /** Whole requests. */
  readonly count: number
  /** What is wrong with what follows them; `not whole` where there is only too little of it. */
  readonly problem: string | undefined
}

/** Reads requests one after the other from the beginning, as Latin-1. */
export function readRequestStrictly(bytes: string): StrictReading {
  let rest = bytes
  let count = 0
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    if (end === -1) return { count, problem: 'not whole' }
    const [first = '', ...lines] = rest.slice(0, end).split('\r\n')
    const head = readHead(first, lines)
    if (typeof head === 'object') return { count, problem: head.problem }
    const after = readBody(rest.slice(end + 4), head)
    if (after.problem !== undefined) return { count, problem: after.problem }
    rest = after.rest
    count++
  }
  return { count, problem: undefined }
}

function readHead(first: string, lines: readonly string[]): number | 'chunked' | { readonly problem: string } {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP\/1\.[01]$/.test(first)) return { problem: 'the request line' }
  const values = new Map<string, string[]>()
  for (const line of lines) {
    const [, name, value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? []
    if (name === undefined) return { problem: `the header line ${JSON.stringify(line)}` }
    values.set(name.toLowerCase(), [...(values.get(name.toLowerCase()) ?? []), value.trim()])
  }
  if (values.get('host')?.length !== 1) return { problem: 'the number of Hosts' }
  const lengths = values.get('content-length') ?? []
  const encodings = values.get('transfer-encoding') ?? []
  if (lengths.length + encodings.length > 1) return { problem: 'more than one framing' }
  if (encodings.length === 1)
    return encodings[0]?.toLowerCase() === 'chunked' ? 'chunked' : { problem: 'the transfer coding' }
  if (lengths.length === 1)
    return /^(?:0|[1-9]\d*)$/.test(lengths[0] ?? '') ? Number(lengths[0]) : { problem: 'the length' }
  return 0
}

function readBody(bytes: string, framing: number | 'chunked'): { rest: string; problem?: string } {
  if (typeof framing === 'number')
    return bytes.length < framing ? { rest: '', problem: 'not whole' } : { rest: bytes.slice(framing) }
  let rest = bytes
  for (;;) {
    const [line, size] = /^([0-9a-fA-F]{1,8})\r\n/.exec(rest) ?? []
    if (line === undefined || size === undefined)
      return { rest: '', problem: rest.includes('\r\n') ? 'the size of a chunk' : 'not whole' }
    const length = Number.parseInt(size, 16)
    const end = line.length + length
    if (rest.length < end + 2) return { rest: '', problem: 'not whole' }
    if (rest.slice(end, end + 2) !== '\r\n') return { rest: '', problem: 'the end of a chunk' }
    rest = rest.slice(end + 2)
    if (length === 0) return { rest }
  }
}
