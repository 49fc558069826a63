// Where is something on the network? The kinds of the table that are addresses, URLs and ranges. Opens no socket and
// asks no name server: what a name stands for may change while the process runs.
import { isIP, isIPv4 } from 'node:net'
import { quote } from './quote.ts'
import { type Reject, textKind, unexpected } from './value-types.ts'

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
    suggest: (input) => (typeof input === 'number' && isPort(input) ? `"[::]:${input}"` : undefined),
    parse(text, reject) {
      const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(0|[1-9][0-9]{0,4})$/.exec(text)
      const host = match?.[1] ?? match?.[2]
      const port = Number(match?.[3])
      const isHost = match?.[1] === undefined || isIP(match[1]) === 6
      if (host === undefined || !isPort(port) || !isHost || isNoIPv4(host))
        return reject(unexpected(ADDRESS_EXPECTS, text), addressHint(text))
      return { host, port }
    },
  })
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65_535
}

/** `999.1.1.1` and `10.0.0`: a name server knows no such name, and they are no addresses. */
function isNoIPv4(host: string): boolean {
  return /^[\d.]+$/.test(host) && !isIPv4(host)
}

function addressHint(text: string): string | undefined {
  const [, bare] = /^(?:https?|tcp):\/\/([^/]+)\/?$/.exec(text) ?? []
  if (bare !== undefined) return `did you mean "${bare}"`
  const anyHost = /^\*:(\d{1,5})$/.exec(text)?.[1]
  if (anyHost !== undefined) return `did you mean "[::]:${anyHost}"`
  if (/^(unix:|\/)/.test(text)) return 'sockets of the file system are not supported'
  if (/^\[?::\]?$/.test(text)) return 'did you mean "[::]:8080"'
  if (text === 'localhost') return 'did you mean "localhost:8080"'
  const portOnly = /^:?(\d{1,5})$/.exec(text)?.[1]
  if (portOnly !== undefined) return `did you mean "[::]:${portOnly}"`
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
      if (url === undefined || isNowhere(url)) return reject(unexpected(ORIGIN_EXPECTS, text), originHint(text))
      if (url.username !== '' || url.password !== '') return reject('Expected a URL without user and password')
      if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
        return reject(`Expected a URL without path and query, got ${quote(text)}`, `did you mean "${url.origin}"`)
      }
      return url.origin
    },
  })
}

/** No port 0, no host that is a pattern or a list, no number that is no address. */
function isNowhere({ hostname, port }: URL): boolean {
  return port === '0' || /[*,{}$]/.test(hostname) || isNoIPv4(hostname)
}

const WEB_ORIGIN_EXPECTS = 'an origin such as "https://app.example.com"'

/** The origin of a page, as browsers send it: scheme, host and port. */
export function webOrigin() {
  return textKind<string>({
    kind: 'URL',
    expects: WEB_ORIGIN_EXPECTS,
    parse(text, reject) {
      if (text.includes('*'))
        return reject(`${unexpected(WEB_ORIGIN_EXPECTS, text)}: "*" stands for nothing`, 'write each origin')
      if (text === 'null')
        return reject(unexpected(WEB_ORIGIN_EXPECTS, text), 'as every sandboxed page of anybody has that one')
      const url = httpUrl(text)
      if (url === undefined || isNowhere(url)) return reject(unexpected(WEB_ORIGIN_EXPECTS, text), webOriginHint(text))
      if (url.username !== '' || url.password !== '') return reject('Expected an origin without user and password')
      if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
        return reject(`Expected an origin without path and query, got ${quote(text)}`, `did you mean "${url.origin}"`)
      return url.origin
    },
  })
}

function webOriginHint(text: string): string | undefined {
  return /^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d{1,5})?$/.test(text) ? `did you mean "https://${text}"` : undefined
}

function originHint(text: string): string | undefined {
  if (/^(unix:|\/)/.test(text)) return 'sockets of the file system are not supported'
  if (/^https?:\/\/[^,]+,/.test(text)) return 'there is one app; several pods are behind their Service'
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
  if (isNowhere(url) || /[{}<>]|\*/.test(text))
    return reject(
      `${unexpected(SECURE_EXPECTS, text)}: nothing is at this address`,
      'write it out, with a port above 0',
    )
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
      if (family === 0 || prefix > (family === 4 ? 32 : 128))
        return reject(unexpected(RANGE_EXPECTS, text), rangeHint(text))
      const address = match?.[1] ?? ''
      const first = match?.[2] === undefined ? address : firstOf(address, prefix)
      if (first === undefined || isSameAddress(first, address)) return text
      return reject(
        `Expected a range that begins with its first address, got ${quote(text)}`,
        `did you mean ${quote(`${first}/${prefix}`)} or ${quote(address)} alone`,
      )
    },
  })
}

function rangeHint(text: string): string | undefined {
  if (text === '*' || text === 'all' || text === 'any') return 'name the addresses of the proxies in front alone'
  if (/^(private|loopback|localhost|linklocal|uniquelocal)$/.test(text))
    return 'write the ranges out, such as "127.0.0.0/8"'
  const withPort = /^(\d+(?:\.\d+){3}):\d+$/.exec(text)?.[1]
  return withPort !== undefined && isIPv4(withPort) ? `did you mean "${withPort}"` : undefined
}

/** The first address of the range that an address is in. */
function firstOf(address: string, prefix: number): string {
  const bits = isIPv4(address) ? 32 : 128
  const shift = BigInt(bits - prefix)
  const first = (numberOf(address) >> shift) << shift
  if (bits === 32) return [24n, 16n, 8n, 0n].map((place) => String((first >> place) & 0xffn)).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => ((first >> BigInt(112 - 16 * index)) & 0xffffn).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

function numberOf(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
  // WHATWG spells an IPv6 address with at most one "::" and without dots
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return [...before, ...zeros, ...after].reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n)
}

function isSameAddress(a: string, b: string): boolean {
  return numberOf(a) === numberOf(b)
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
      const match = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/\s?#]*)@)?([^@/\s?#]+)(\/[^\s?#]*)?$/.exec(text)
      if (match === null) return reject(`Expected ${REDIS_EXPECTS}`, redisHint(text))
      if (!isEncoded(match[3] ?? ''))
        return reject(
          'Expected a password in which "%" is written as %25',
          'as well as "/", "@", "?" and "#" as %2F, %40, %3F and %23',
        )
      return redisTrouble(match[2], match[4] ?? '', match[5] ?? '', reject) ? text : undefined
    },
  })
}

/** A mistake in the form alone: nothing of the text is quoted. */
function redisHint(text: string): string | undefined {
  if (/^[^@/]+:\d+$/.test(text)) return 'begin it with "redis://"'
  if (/^redis(s)?-sentinel:|^sentinel:/.test(text)) return 'begin it with "redis+sentinel://" or "rediss+sentinel://"'
  if (/^redis(s)?-cluster:|^cluster:/.test(text)) return 'begin it with "redis+cluster://" or "rediss+cluster://"'
  if (/^unix:|^redis(\+unix|-socket):|^\//.test(text)) return 'sockets of the file system are not supported'
  if (text.includes('?')) return 'without "?" and what follows it'
  return text === text.trim() ? undefined : 'without blanks around it'
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function isRedisHost(text: string): boolean {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::([1-9][0-9]{0,4}))?$/.exec(text)
  if (match === null || Number(match[3] ?? 1) > 65_535) return false
  const [, ipv6, name = ''] = match
  return ipv6 === undefined ? !isNoIPv4(name) : isIP(ipv6) === 6
}

function redisTrouble(form: string | undefined, hosts: string, path: string, reject: Reject): true | undefined {
  const each = hosts.split(',')
  if (form === undefined && each.length > 1)
    return reject('Expected one host', 'several need "redis+sentinel://" or "redis+cluster://"')
  const wrong = each.find((host) => !isRedisHost(host))
  // Not quoted: where a password holds a "/", what looks like a host is a part of it.
  if (wrong !== undefined)
    return reject(
      'Expected hosts as "host:port", ports from 1 to 65535',
      'with "/", "@" and "#" in a password written as %2F, %40 and %23',
    )
  if (form === 'sentinel' && !/^\/[A-Za-z0-9._-]+(\/\d{1,4})?$/.test(path)) {
    return reject('Expected the name of the master behind the hosts', 'as in "redis+sentinel://host:26379/mymaster/0"')
  }
  if (form === 'cluster' && !/^\/?0?$/.test(path))
    return reject('Expected no database number, as Redis Cluster has only one')
  if (form === undefined && !/^(\/\d{0,4})?$/.test(path))
    return reject('Expected a database number behind the host', 'as in "redis://redis:6379/0"')
  return true
}
