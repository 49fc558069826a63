// The way that a request has come, in the words of RFC 7239 and in those of the headers before it. It is pure, and what a client
// could have written of it never leaves the quotes that it stands in.

/** What a trusted proxy in front of us said about the client; each is empty where it said nothing. */
export interface Said {
  for: string
  proto: string
  host: string
  port: string
  forwarded: string
}

/** How the request came to us. */
export interface Hop {
  readonly peer: string
  readonly host: string
  readonly scheme: 'http' | 'https'
}

const NODE = /^(?:[\w.-]+(?::\d+)?|\[[\da-f:.]+\](?::\d+)?|[\da-f]*:[\da-f:.]+)$/i
const HOST = /^[\w.:[\]-]+$/
const SCHEME = /^[a-z][a-z\d+.-]*$/i

/**
 * The value of `Forwarded`: what the proxies in front said, and our own hop last. Where they said it in `X-Forwarded-*` alone it
 * is said again here (RFC 7239 section 7.4): who reads `Forwarded` first would take their hop to us, often plain http, for the
 * one of the client.
 */
export function forwardedValue(said: Said, hop: Hop): string {
  const { peer, host, scheme } = hop
  const own = `for=${peer.includes(':') ? `"[${peer}]"` : peer}`
  if (said.forwarded !== '') return `${said.forwarded}, ${own};host="${host}";proto=${scheme}`
  if (said.for === '' && said.proto === '' && said.host === '') return `${own};host="${host}";proto=${scheme}`
  const [proto = '', clientHost = ''] = [firstOf(said.proto), firstOf(said.host)]
  const isHost = HOST.test(clientHost)
  const isScheme = SCHEME.test(proto)
  if (said.for === '') return `${own};host="${isHost ? clientHost : host}";proto=${isScheme ? proto : scheme}`
  const [client = '', ...proxies] = said.for.split(',').map((each) => `for=${node(each.trim())}`)
  const first = [client, ...(isHost ? [`host="${clientHost}"`] : []), ...(isScheme ? [`proto=${proto}`] : [])].join(';')
  return [first, ...proxies, `${own};host="${host}";proto=${scheme}`].join(', ')
}

/** An address of IPv6 or with a port is quoted; what is no address at all is `unknown` (RFC 7239 section 6). */
function node(text: string): string {
  if (!NODE.test(text)) return 'unknown'
  if (!text.includes(':')) return text
  return text.startsWith('[') || text.indexOf(':') === text.lastIndexOf(':') ? `"${text}"` : `"[${text}]"`
}

function firstOf(list: string): string | undefined {
  return list.split(',', 1)[0]?.trim()
}
