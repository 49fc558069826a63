// What keeps Redis from being asked, in words that say what to change: the errors of sockets, of TLS and of the client as one
// sentence each; those that Redis answers with are in refusals.ts. It must never repeat a credential, nor more than a line.
import type { RedisAddress } from './address.ts'
import { refusalOf } from './refusals.ts'
import { redisMessageOf } from './report.ts'

type Sentence = string | ((match: RegExpExecArray, address: RedisAddress) => string)

const MAXIMUM_LENGTH = 200
const otherScheme = ({ tls, form }: RedisAddress) =>
  `${tls ? 'redis' : 'rediss'}${form === 'standalone' ? '' : `+${form}`}://`

/** The first pattern that is found in an error answers. */
const sentences: readonly (readonly [RegExp, Sentence])[] = [
  [/ECONNREFUSED (\S+)/, ([, place]) => `${place} refuses the connection: nothing listens there (ECONNREFUSED)`],
  [
    /getaddrinfo (\S+) (\S+)/,
    ([, code, name]) => `the name ${JSON.stringify(name)} cannot be resolved to an address (${code})`,
  ],
  [
    /(E(?:NETUNREACH|HOSTUNREACH|HOSTDOWN)) (\S+)/,
    ([, code, place]) => `${place} cannot be reached from here (${code})`,
  ],
  [
    /connect ETIMEDOUT/,
    (_match, address) =>
      address.tls
        ? `no TLS connection within a second: the address does not answer, or its port does not speak TLS; in that case begin the URL with ${otherScheme(address)}`
        : 'no connection within a second: the address does not answer (ETIMEDOUT)',
  ],
  [
    /wrong version number|packet length too long|http request|record layer failure/,
    (_match, address) => `the port does not speak TLS: begin the URL with ${otherScheme(address)}`,
  ],
  [
    /Unknown RESP type (\d+)/,
    ([, type], address) => {
      if (type === '21') return `the port speaks TLS: begin the URL with ${otherScheme(address)}`
      return `the port ${type === '72' ? 'speaks HTTP and not' : 'does not speak'} the Redis protocol`
    },
  ],
  [/Socket timeout\. Expecting data/, 'the connection is open, and Redis does not answer: it timed out'],
  [/ECONNRESET|EPIPE|ECONNABORTED/, 'the connection was reset'],
  [/before secure TLS connection/, 'the server closes the connection during the TLS handshake'],
  [/self-signed certificate|unable to (?:verify|get)/, 'its certificate is not from a trusted authority: set "caFile"'],
  [/certificate has expired/, 'its certificate has expired'],
  [/Hostname\/IP does not match/, 'its certificate is for another name than that of the URL'],
  [/cluster support disabled/, 'the server is not part of a Redis Cluster: begin the URL with redis:// or rediss://'],
  [/unknown command '?sentinel/i, 'the server is not a Sentinel: its port is usually 26379'],
  [/^MOVED /, 'the server is part of a Redis Cluster: begin the URL with redis+cluster:// or rediss+cluster://'],
  [/Connection is closed/, 'the server closes the connection, or nothing listens there'],
]

/** One sentence on an error of a connection to this address; the error's own words where none is known. */
export function troubleOf(error: unknown, address: RedisAddress): string {
  const refusal = refusalOf(error)
  if (refusal !== undefined) return refusal.message
  const message = redisMessageOf(error)
  for (const [pattern, sentence] of sentences) {
    const match = pattern.exec(message)
    if (match !== null) return typeof sentence === 'string' ? sentence : sentence(match, address)
  }
  return message
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MAXIMUM_LENGTH)
}
