// Which settings contradict each other? Everything that one setting alone cannot show, checked on whatever part of the
// settings could be read, so that these problems appear in the same run as all others. Changes nothing.
import { isIP } from 'node:net'
import type { Config } from '../options.ts'
import type { Finding } from '../problems.ts'
import { formatDuration } from '../value-types/durations.ts'
import { quote } from '../value-types/quote.ts'
import type { Draft } from './draft.ts'
import { headerNameRules, isReservedHeader } from './header-names.ts'
import { issuerRules } from './issuers.ts'
import { literalRules } from './literals.ts'
import { refreshRules } from './refresh.ts'
import { refreshExchangeRules } from './refresh-exchange.ts'
import { revocationRules } from './revocation.ts'
import { routeRules } from './routes.ts'
import { tlsRules } from './tls.ts'
import { workerRules } from './workers.ts'

/** Every contradiction in what could be read of the settings, and every warning about it. */
export function findContradictions(draft: Draft<Config>): Finding[] {
  return [
    ...listenRules(draft),
    ...upstreamTlsRules(draft),
    ...probeRules(draft),
    ...issuerRules(draft.issuers ?? []),
    ...sourceRules(draft),
    ...cookieWarnings(draft),
    ...routeRules(draft.routes ?? []),
    ...revocationRules(draft),
    ...refreshRules(draft),
    ...refreshExchangeRules(draft),
    ...headerNameRules(draft),
    ...proxyWarnings(draft),
    ...literalRules(draft),
    ...limitRules(draft),
    ...tlsRules(draft),
    ...workerRules(draft),
  ]
}

function* listenRules({ listen, admin, upstream }: Draft<Config>): Generator<Finding> {
  const own = admin?.listen
  if (listen?.port && listen.port === own?.port && overlap(listen.host, own.host)) {
    yield {
      path: ['admin', 'listen'],
      message: `Expected another port than "listen" has, got ${own.port}`,
      hint: 'as requests from outside must not reach the admin port',
    }
  }
  if (upstream === undefined) return
  const { hostname, port, protocol } = new URL(upstream)
  const upstreamPort = Number(port || (protocol === 'https:' ? 443 : 80))
  for (const [name, place] of [
    ['listen', listen],
    ['admin.listen', own],
  ] as const) {
    if (
      place?.port === upstreamPort &&
      isThisMachine(hostname) &&
      overlap(place.host ?? '', hostname.replace(/^\[|\]$/g, ''))
    ) {
      yield {
        path: ['upstream'],
        message: `Expected the address of the app, got ${quote(upstream)}, which is "${name}" itself`,
      }
    }
  }
}

function* upstreamTlsRules({ upstream, upstreamTls }: Draft<Config>): Generator<Finding> {
  if (upstream === undefined) return
  const { protocol, hostname } = new URL(upstream)
  if (protocol === 'https:' && upstreamTls?.serverName === undefined && isIP(hostname.replace(/^\[|\]$/g, '')) !== 0)
    yield {
      path: ['upstream'],
      severity: 'warning',
      message: `The certificate of the app has to hold the address ${quote(hostname)}`,
      hint: 'where it holds a name, set "upstreamTls.serverName" to that',
    }
  if (upstreamTls === undefined || protocol === 'https:') return
  yield {
    path: ['upstreamTls'],
    message: 'Cannot use TLS settings: the connection to the app is not encrypted',
    hint: 'begin "upstream" with "https"',
  }
}

/** A probe that asks the admin port asks itself, again and again. */
function* probeRules({ admin }: Draft<Config>): Generator<Finding> {
  for (const [container, probes] of Object.entries(admin?.appProbes ?? {}))
    for (const [kind, target] of Object.entries(probes ?? {})) {
      const url = URL.parse((typeof target === 'string' ? target : target?.url) ?? '')
      if (url === null || Number(url.port) !== admin?.listen?.port) continue
      const path = ['admin', 'appProbes', container, kind]
      yield { path, message: `Expected the address of the app, got ${quote(url.href)}, which is "admin.listen" itself` }
    }
}

function isThisMachine(hostname: string): boolean {
  return /^(localhost|127\..*|\[::1\]|0\.0\.0\.0|\[::\])$/.test(hostname)
}

/** True where two listeners, or a listener and a client, could mean the same socket. */
function overlap(a: string | undefined, b: string | undefined): boolean {
  const wildcards = ['0.0.0.0', '::']
  const plain = (host: string | undefined) => (host === 'localhost' ? '127.0.0.1' : host)
  return plain(a) === plain(b) || wildcards.includes(a ?? '') || wildcards.includes(b ?? '')
}

function* sourceRules({ tokens }: Draft<Config>): Generator<Finding> {
  const seen = new Set<string>()
  for (const [index, source] of (tokens?.sources ?? []).entries()) {
    if (source === undefined) continue
    const path = ['tokens', 'sources', index]
    const [kind, name] = Object.entries(source)[0] ?? ['', '']
    if (seen.has(`${kind} ${name}`))
      yield { path, message: `Repeated source: ${kind} ${quote(name)}`, hint: 'remove it' }
    seen.add(`${kind} ${name}`)
    if (kind !== 'header' || !isReservedHeader(String(name))) continue
    const hint = name === 'cookie' ? 'did you mean { cookie: session }' : undefined
    yield { path: [...path, 'header'], message: `Expected a header that can carry a token, got ${quote(name)}`, hint }
  }
}

/** What a token in a cookie opens, where the settings leave it open. */
function* cookieWarnings({ tokens, refresh }: Draft<Config>): Generator<Finding> {
  const index = (tokens?.sources ?? []).findIndex((source) => source !== undefined && 'cookie' in source)
  if (index === -1) return
  if (tokens?.crossSite === 'allow')
    yield {
      path: ['tokens', 'sources', index],
      severity: 'warning',
      message:
        'A page of any origin can change something in the name of whoever has this cookie, unless the app prevents it',
      hint: 'set "tokens.crossSite" to "refuse"',
    }
  if (refresh?.cookie?.header === true)
    yield {
      path: ['refresh', 'cookie', 'header'],
      severity: 'warning',
      message: 'Every script of a page can read the next token of a cookie in the response header',
      hint: 'remove it, so that the token goes into the cookie alone',
    }
}

/** Whoever is believed to be a proxy says which address a request comes from, and which host it was sent to. */
function* proxyWarnings({ forward }: Draft<Config>): Generator<Finding> {
  for (const [index, range] of (forward?.trustedProxies ?? []).entries())
    if (range !== undefined && /\/0$/.test(range))
      yield {
        path: ['forward', 'trustedProxies', index],
        severity: 'warning',
        message: `Every client is believed to be a proxy: ${quote(range)} holds all addresses`,
        hint: 'name the addresses of the proxies in front alone',
      }
}

function* limitRules({ limits, tokens }: Draft<Config>): Generator<Finding> {
  const { requestTimeout, headersTimeout, headerBytes } = limits ?? {}
  if (requestTimeout && headersTimeout !== undefined && requestTimeout < headersTimeout) {
    yield {
      path: ['limits', 'requestTimeout'],
      message: `Expected at least as much as "limits.headersTimeout", "${formatDuration(headersTimeout)}", got "${formatDuration(requestTimeout)}"`,
      hint: 'or "0s" for no limit',
    }
  }
  if (headerBytes !== undefined && tokens?.maxBytes !== undefined && tokens.maxBytes > headerBytes) {
    yield {
      path: ['tokens', 'maxBytes'],
      message: `Expected at most "limits.headerBytes", ${headerBytes}, got ${tokens.maxBytes}`,
    }
  }
}
