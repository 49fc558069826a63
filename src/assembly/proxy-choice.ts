// Which proxy does a question to another server go through? What is near is never proxied: a proxy that reaches into the
// cluster for us would see keys and tokens, and one that cannot would cut the gate off. Asks no name server.
import { BlockList, isIP, isIPv4 } from 'node:net'
import type { Problem } from '../config/problems.ts'
import { readProxyUrl } from '../config/value-types/proxy-url.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** A variable of the environment that holds no proxy, where one has to be known. Its message does not quote it. */
class ProxyError extends Error {
  override readonly name = 'ProxyError'
}

/** Answers the URL of the proxy for a server, with its password, or nothing for the direct way. Throws `ProxyError`. */
export type ChooseProxy = (target: URL) => string | undefined

const VARIABLES = { 'http:': ['http_proxy', 'HTTP_PROXY'], 'https:': ['https_proxy', 'HTTPS_PROXY'] } as const

/** Makes the choice for the setting `outbound.proxy` and this environment. */
export function createProxyChoice(setting: string, environment: Environment): ChooseProxy {
  if (setting === 'none') return () => undefined
  const isExempt = createExemption(environment)
  return (target) => {
    const proxy = setting === 'env' ? given(environment, target.protocol) : { name: 'outbound.proxy', text: setting }
    if (proxy === undefined || isExempt(target)) return undefined
    const { url, why } = read(proxy.text)
    if (url === undefined) throw new ProxyError(`Cannot use the proxy of ${proxy.name}: ${why}`)
    return url
  }
}

/** What is wrong with the variables that `env` goes by. */
export function proxyWarnings(setting: string, environment: Environment): readonly Problem[] {
  if (setting !== 'env') return []
  return (['http:', 'https:'] as const).flatMap((protocol) => {
    const proxy = given(environment, protocol)
    const why = proxy === undefined ? undefined : read(proxy.text).why
    if (proxy === undefined || why === undefined) return []
    return [{ where: proxy.name, message: why, hint: 'or set "outbound.proxy: none"' }]
  })
}

/** The proxy as a log may show it: without user and password. */
export function withoutCredentials(proxy: string): string {
  return proxy.replace(/\/\/[^@/]*@/, '//')
}

function given(environment: Environment, protocol: string): { name: string; text: string } | undefined {
  for (const name of protocol === 'http:' ? VARIABLES['http:'] : VARIABLES['https:']) {
    const text = environment[name]?.trim()
    if (text !== undefined && text !== '') return { name, text }
  }
  return undefined
}

function read(text: string): { readonly url: string | undefined; readonly why: string | undefined } {
  let why: string | undefined
  const url = readProxyUrl(text, (message, hint) => {
    why = hint === undefined ? message : `${message}, ${hint}`
    return undefined
  })
  return { url, why }
}

/** Makes the test whether a server is never asked through a proxy. */
function createExemption(environment: Environment): (target: URL) => boolean {
  const cluster = hostOf(environment.KUBERNETES_SERVICE_HOST ?? '')
  const rules = (environment.no_proxy?.trim() || environment.NO_PROXY || '')
    .split(/[\s,]+/)
    .filter((rule) => rule !== '')
  const tests = rules.map(exemptionOf)
  return (target) => {
    const host = hostOf(target.hostname)
    if (isNear(host) || (cluster !== '' && host === cluster)) return true
    const port = target.port || (target.protocol === 'https:' ? '443' : '80')
    return tests.some((isExempt) => isExempt(host, port))
  }
}

function isNear(host: string): boolean {
  if (isIP(host) !== 0) return loopback.check(host, isIPv4(host) ? 'ipv4' : 'ipv6')
  return !host.includes('.') || /\.(localhost|svc|cluster\.local)$/.test(host)
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** One entry of NO_PROXY: `*`, a range, an address, or a name with all below it; the last three also with a port. */
function exemptionOf(rule: string): (host: string, port: string) => boolean {
  if (rule === '*') return () => true
  const range = /^\[?([0-9a-fA-F:.]+)\]?\/(\d{1,3})$/.exec(rule)
  const family = isIP(range?.[1] ?? '')
  if (range?.[1] !== undefined && family !== 0 && Number(range[2]) <= (family === 4 ? 32 : 128)) {
    const list = new BlockList()
    list.addSubnet(range[1], Number(range[2]), family === 4 ? 'ipv4' : 'ipv6')
    return (host) => isIP(host) !== 0 && list.check(host, isIPv4(host) ? 'ipv4' : 'ipv6')
  }
  const withPort = isIP(rule) === 0 ? /^(.*):(\d{1,5})$/.exec(rule) : null
  const name = hostOf((withPort?.[1] ?? rule).replace(/^\*?\./, ''))
  const onlyPort = withPort?.[2]
  return (host, port) =>
    (onlyPort === undefined || onlyPort === port) && (host === name || (isIP(host) === 0 && host.endsWith(`.${name}`)))
}

/** A host without brackets, without the dot of the root, in lower case; an IPv6 address as short as `URL` writes it. */
function hostOf(text: string): string {
  const host = text
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
  return isIP(host) === 6 ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host
}
