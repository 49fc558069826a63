// The way that a request has come, in the words of RFC 7239 and in those of the headers before it: one story, whichever of them
// a trusted proxy used. It is pure, and what a client could have written of it never leaves the quotes that it stands in.

import { isHostAndPort } from '../target.ts'
import { type ForwardedElement, readForwarded } from './forwarded-elements.ts'

/** What a trusted proxy in front of us said about the client, each with its lines joined; empty where it said nothing. */
export interface ForwardedFields {
  for: string
  proto: string
  /** `X-Forwarded-Scheme` and `X-Forwarded-Ssl`, which some proxies send in place of the one before. */
  scheme: string
  ssl: string
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

/** How the client sees itself connected, as far as it is known. */
interface Story {
  readonly proto: string
  readonly isProtoSaid: boolean
  /** What `X-Forwarded-Host` says. */
  readonly host: string
  readonly port: string
  /** The host with a port that no other field of `Forwarded` could say; undefined where nothing was said. */
  readonly saidHost: string | undefined
}

const NODE = /^(?:[\w.-]+(?::\d+)?|\[[\da-f:.]+\](?::\d+)?|[\da-f]*:[\da-f:.]+)$/i
const SCHEME = /^(?:https?|wss?)$/

const fieldOf: Readonly<Record<string, keyof ForwardedFields>> = {
  'x-forwarded-for': 'for',
  'x-forwarded-proto': 'proto',
  'x-forwarded-scheme': 'scheme',
  'x-forwarded-ssl': 'ssl',
  'x-forwarded-host': 'host',
  'x-forwarded-port': 'port',
  forwarded: 'forwarded',
}

/** Nothing said yet. */
export function noForwardedFields(): ForwardedFields {
  return { for: '', proto: '', scheme: '', ssl: '', host: '', port: '', forwarded: '' }
}

/** Keeps the line of a trusted proxy; false where it is none of those that are told as one story. */
export function keepForwardedField(fields: ForwardedFields, name: string, value: string): boolean {
  const field = Object.hasOwn(fieldOf, name) ? fieldOf[name] : undefined
  if (field === undefined) return false
  fields[field] = joined(fields[field], value)
  return true
}

/** Adds the forwarding headers for the app, names and values in turn; `fields` is what a trusted proxy said, if any did. */
export function addForwardingLines(lines: string[], fields: ForwardedFields | undefined, hop: Hop): void {
  if (fields !== undefined) {
    addStory(lines, fields, hop)
    return
  }
  const { peer, host, scheme } = hop
  lines.push('x-forwarded-for', peer, 'x-forwarded-proto', scheme, 'x-forwarded-host', host)
  lines.push('x-forwarded-port', portOf(host) ?? defaultPort(scheme), 'forwarded', ownElement(hop))
}

function addStory(lines: string[], fields: ForwardedFields, hop: Hop): void {
  const elements = fields.forwarded === '' ? [] : readForwarded(fields.forwarded)
  const story = storyOf(fields, elements ?? [], hop)
  const chain = fields.for === '' ? addressesOf(elements ?? []).join(', ') : fields.for
  lines.push('x-forwarded-for', joined(chain, hop.peer), 'x-forwarded-proto', story.proto)
  lines.push('x-forwarded-host', story.host, 'x-forwarded-port', story.port)
  if (fields.scheme !== '') lines.push('x-forwarded-scheme', story.proto)
  if (fields.ssl !== '') lines.push('x-forwarded-ssl', defaultPort(story.proto) === '443' ? 'on' : 'off')
  const isForwardedAlone = Object.values(fields).join('') === fields.forwarded && elements !== undefined
  lines.push('forwarded', isForwardedAlone ? joined(fields.forwarded, ownElement(hop)) : retold(chain, story, hop))
}

/** The host that the client asked for: `X-Forwarded-Host` before `Forwarded`; undefined where neither names one. */
export function forwardedHost(
  fields: ForwardedFields,
  elements: readonly ForwardedElement[] = readForwarded(fields.forwarded) ?? [],
): string | undefined {
  return hostIn(fields.host) ?? hostIn(elements.find(({ host }) => host !== undefined)?.host)
}

/**
 * Each fact from the header that says it: `X-Forwarded-*` first, as proxies that set those often pass on a `Forwarded` of the
 * client; the first of several values, which is the one of the client.
 */
function storyOf(fields: ForwardedFields, elements: readonly ForwardedElement[], hop: Hop): Story {
  const saidProto =
    schemeIn(fields.proto) ??
    schemeIn(fields.scheme) ??
    (fields.ssl.toLowerCase() === 'on' ? 'https' : undefined) ??
    schemeIn(elements.find(({ proto }) => proto !== undefined)?.proto)
  const saidHost = forwardedHost(fields, elements)
  const saidPort = portIn(fields.port)
  const proto = saidProto ?? hop.scheme
  const authority = saidHost ?? hop.host
  const ownPort = portOf(authority)
  // A port that comes with the host is the one of the client; beside a Host that the proxy wrote, what it says of the port is
  const port = (saidHost === undefined ? undefined : ownPort) ?? saidPort ?? ownPort ?? defaultPort(proto)
  const isImplied = port === defaultPort(proto)
  const name = ownPort === undefined ? authority : authority.slice(0, authority.lastIndexOf(':'))
  const whole = isImplied ? name : `${name}:${port}`
  return {
    ...{ proto, port, isProtoSaid: saidProto !== undefined },
    host: ownPort === undefined || ownPort === port ? authority : whole,
    saidHost: saidHost === undefined && saidPort === undefined ? undefined : ownPort === port ? authority : whole,
  }
}

/**
 * `Forwarded` from what was said elsewhere (RFC 7239 section 7.4): who reads it first would take the hop of the proxies to us,
 * often plain http, for the one of the client.
 */
function retold(chain: string, { proto, isProtoSaid, host, saidHost }: Story, hop: Hop): string {
  if (chain === '') return `for=${node(hop.peer)};host="${saidHost ?? host}";proto=${proto}`
  const [client = '', ...proxies] = chain.split(',').map((each) => `for=${node(each.trim())}`)
  const first = `${client}${saidHost === undefined ? '' : `;host="${saidHost}"`}${isProtoSaid ? `;proto=${proto}` : ''}`
  return [first, ...proxies, ownElement(hop)].join(', ')
}

function ownElement({ peer, host, scheme }: Hop): string {
  return `for=${node(peer)};host="${host}";proto=${scheme}`
}

/** An address of IPv6 or with a port is quoted; what is no address at all is `unknown` (RFC 7239 section 6). */
function node(text: string): string {
  if (!NODE.test(text)) return 'unknown'
  if (!text.includes(':')) return text
  return text.startsWith('[') || text.indexOf(':') === text.lastIndexOf(':') ? `"${text}"` : `"[${text}]"`
}

/** The addresses as `X-Forwarded-For` has them: without brackets and ports; what is hidden is `unknown`. */
function addressesOf(elements: readonly ForwardedElement[]): readonly string[] {
  return elements.flatMap(({ node: text }) => {
    if (text === undefined) return []
    const address = /^\[([\da-f:.]+)\](?::\d+)?$/i.exec(text)?.[1] ?? /^([\d.]+)(?::\d+)?$/.exec(text)?.[1]
    return [address ?? 'unknown']
  })
}

function schemeIn(list = ''): string | undefined {
  const scheme = firstOf(list).toLowerCase()
  return SCHEME.test(scheme) ? scheme : undefined
}

function hostIn(list = ''): string | undefined {
  const host = firstOf(list)
  return isHostAndPort(host) ? host : undefined
}

function portIn(list: string): string | undefined {
  const port = firstOf(list)
  return /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535 ? port : undefined
}

function firstOf(list: string): string {
  return (list.split(',', 1)[0] ?? '').trim()
}

function portOf(authority: string): string | undefined {
  const colon = authority.lastIndexOf(':')
  return colon > authority.lastIndexOf(']') ? authority.slice(colon + 1) : undefined
}

function defaultPort(scheme: string): string {
  return scheme === 'https' || scheme === 'wss' ? '443' : '80'
}

function joined(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`
}
