// Where is something on the network? The kinds of the table that are addresses, URLs and ranges. Opens no socket and
// asks no name server: what a name stands for may change while the process runs.
import { isIP, isIPv4 } from 'node:net'
import { type Reject, textKind, unexpected } from './kinds.ts'
import { quote } from './quote.ts'

/** An address to listen on. An IPv6 host has no brackets; port 0 means any free port. */
export interface Address {
  readonly host: string
  readonly port: number
}

const ADDRESS_EXPECTS = 'an address such as "0.0.0.0:8080" or "[::]:8080"'

/** `host:port`. */
export function address() {
  return textKind<Address>({
    kind: 'address',
    expects: ADDRESS_EXPECTS,
    suggest: (input) => (typeof input === 'number' && isPort(input) ? `0.0.0.0:${input}` : undefined),
    parse(text, reject) {
      const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(0|[1-9][0-9]{0,4})$/.exec(text)
      const host = match?.[1] ?? match?.[2]
      const port = Number(match?.[3])
      const isHost = match?.[1] === undefined || isIP(match[1]) === 6
      if (host === undefined || !isPort(port) || !isHost)
        return reject(unexpected(ADDRESS_EXPECTS, text), addressHint(text))
      return { host, port }
    },
  })
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65_535
}

function addressHint(text: string): string | undefined {
  const portOnly = /^:?(\d{1,5})$/.exec(text)?.[1]
  if (portOnly !== undefined) return `did you mean "0.0.0.0:${portOnly}"`
  const ipv6 = /^(.*:.*):(\d{1,5})$/.exec(text)
  if (ipv6?.[1] !== undefined && isIP(ipv6[1]) === 6) return `did you mean "[${ipv6[1]}]:${ipv6[2]}"`
  return isIPv4(text) ? `did you mean "${text}:8080"` : undefined
}

const ORIGIN_EXPECTS = 'a URL such as "http://127.0.0.1:3000"'

/** `http://host:port` or `https://host:port` and nothing behind it; the value is the origin. */
export function origin() {
  return textKind<string>({
    kind: 'URL',
    expects: ORIGIN_EXPECTS,
    suggest: (input) => (typeof input === 'number' && isPort(input) ? `http://127.0.0.1:${input}` : undefined),
    parse(text, reject) {
      const url = httpUrl(text)
      if (url === undefined) return reject(unexpected(ORIGIN_EXPECTS, text), originHint(text))
      if (url.username !== '' || url.password !== '') return reject('Expected a URL without user and password')
      if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
        return reject(`Expected a URL without path and query, got ${quote(text)}`, `did you mean "${url.origin}"`)
      }
      return url.origin
    },
  })
}

function originHint(text: string): string | undefined {
  return /^[A-Za-z0-9.-]+:\d{1,5}$/.test(text) ? `did you mean "http://${text}"` : undefined
}

const SECURE_EXPECTS = 'an https URL'

/** A URL from which keys or tokens come: https, or http to this machine or this cluster. The value is the text given. */
export function secureUrl() {
  return textKind<string>({
    kind: 'URL',
    expects: SECURE_EXPECTS,
    parse: (text, reject) => readSecureUrl(text, reject),
  })
}

/** Checks a URL by the rule of `secureUrl`; the text itself, or undefined after `reject` was told why. */
export function readSecureUrl(text: string, reject: Reject): string | undefined {
  const url = httpUrl(text)
  if (url === undefined) return reject(unexpected(SECURE_EXPECTS, text))
  if (url.username !== '' || url.password !== '') return reject('Expected a URL without user and password')
  if (url.hash !== '') return reject(`Expected a URL without fragment, got ${quote(text)}`)
  if (url.protocol === 'http:' && !isInsideHost(url.hostname)) {
    return reject(
      `Expected an https URL, got ${quote(text)}: over http anyone on the way can read and replace the answer`,
      `did you mean ${quote(text.replace(/^http:/i, 'https:'))}`,
    )
  }
  return text
}

function httpUrl(text: string): URL | undefined {
  // WHATWG parsing drops tabs and newlines and trims spaces: what it would mend is refused here.
  if (!/^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/i.test(text)) return undefined
  return URL.parse(text) ?? undefined
}

/** True where plain http stays on this machine or inside the cluster. `hostname` as `URL` spells it. */
export function isInsideHost(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, '')
  if (host === '[::1]' || host === 'localhost' || host.endsWith('.localhost')) return true
  if (isIPv4(host)) return host.startsWith('127.')
  if (host.startsWith('[')) return false
  return !host.includes('.') || /\.(svc|svc\.cluster\.local|local)$/.test(host)
}

const RANGE_EXPECTS = 'an address range such as "10.0.0.0/8" or "fd00::/8"'

/** A CIDR range or a single address. */
export function addressRange() {
  return textKind<string>({
    kind: 'range',
    expects: RANGE_EXPECTS,
    parse(text, reject) {
      const match = /^([0-9a-fA-F:.]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text)
      const family = isIP(match?.[1] ?? '')
      const prefix = match?.[2] === undefined ? 0 : Number(match[2])
      if (family === 0 || prefix > (family === 4 ? 32 : 128)) return reject(unexpected(RANGE_EXPECTS, text))
      return text
    },
  })
}

const REDIS_EXPECTS =
  'a Redis URL such as "redis://redis:6379/0", "rediss://…", "redis+sentinel://host:26379,host:26379/name/0" or "redis+cluster://host:6379,host:6379"'

/** Where Redis is. The text may hold a password, so no message quotes it. */
export function redisUrl() {
  return textKind<string>({
    kind: 'Redis URL',
    expects: REDIS_EXPECTS,
    secret: true,
    parse(text, reject) {
      const match = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/\s]*)@)?([^@/\s?#]+)(\/[^\s?#]*)?$/.exec(text)
      if (match === null) return reject(`Expected ${REDIS_EXPECTS}`)
      return redisTrouble(match[2], match[4] ?? '', match[5] ?? '', reject) ? text : undefined
    },
  })
}

function redisTrouble(form: string | undefined, hosts: string, path: string, reject: Reject): true | undefined {
  const each = hosts.split(',')
  if (form === undefined && each.length > 1)
    return reject('Expected one host', 'several need "redis+sentinel://" or "redis+cluster://"')
  const wrong = each.find((host) => !/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[1-9][0-9]{0,4})?$/.test(host))
  // Not quoted: where a password holds a "/", what looks like a host is a part of it.
  if (wrong !== undefined)
    return reject('Expected hosts as "host:port"', 'with "/", "@" and "#" in a password written as %2F, %40 and %23')
  if (form === 'sentinel' && !/^\/[A-Za-z0-9._-]+(\/\d{1,4})?$/.test(path)) {
    return reject('Expected the name of the master behind the hosts', 'as in "redis+sentinel://host:26379/mymaster/0"')
  }
  if (form === 'cluster' && !/^\/?0?$/.test(path))
    return reject('Expected no database number, as Redis Cluster has only one')
  if (form === undefined && !/^(\/\d{0,4})?$/.test(path))
    return reject('Expected a database number behind the host', 'as in "redis://redis:6379/0"')
  return true
}
