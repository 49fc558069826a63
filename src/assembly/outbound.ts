// How are other servers asked: identity providers for keys and tokens? With the certificates that vouch for them, through the
// proxy that the settings ask for. The one other door to undici: the fetch of Node takes neither. It must never be used for
// requests of clients, and never show the password of a proxy.
import { Agent, type Dispatcher, fetch as fetchWith, Pool, ProxyAgent } from 'undici'
import type { Fetch } from '../outbound-http/fetch.ts'
import type { Log } from '../telemetry/logs/log.ts'
import { type ChooseProxy, createProxyChoice, type Environment, withoutCredentials } from './proxy-choice.ts'

const CONNECTIONS = 32
/** For the answer to CONNECT: a proxy that hangs must not hold what is asked after it. */
const PROXY_TIMEOUT_MS = 5_000
/** More than issuers and token endpoints can have authorities. */
const MOST_WAYS = 40

export interface OutboundParts {
  /** The setting `outbound.proxy` of the moment. */
  readonly proxy: () => string
  /** The variables that name proxies, and what is not to be asked through them. */
  readonly environment: Environment
  readonly log: Pick<Log, 'info'>
}

export interface Outbound {
  /**
   * Makes a fetch that trusts these certificates (PEM), or those of the system where there are none. They are asked for
   * again with each request, as the setting of the proxy is.
   */
  fetchTrusting(authority: () => string | undefined): Fetch
}

/** Makes the ways out of this process. */
export function createOutbound({ proxy, environment, log }: OutboundParts): Outbound {
  const ways = new Map<string, Dispatcher>()
  let choice: { readonly setting: string; readonly choose: ChooseProxy } | undefined

  function chooseFor(target: URL): string | undefined {
    const setting = proxy()
    if (choice?.setting !== setting) choice = { setting, choose: createProxyChoice(setting, environment) }
    return choice.choose(target)
  }

  function wayTo(target: URL, through: string | undefined, authority: string | undefined): Dispatcher {
    const name = JSON.stringify([through, authority])
    const known = ways.get(name)
    if (known !== undefined) return known
    if (through !== undefined)
      log.info({ proxy: withoutCredentials(through), host: target.host }, 'Other servers are asked through a proxy')
    const [oldest] = ways.keys()
    if (ways.size >= MOST_WAYS && oldest !== undefined) ways.delete(oldest)
    const made = through === undefined ? directly(authority) : throughProxy(through, authority)
    ways.set(name, made)
    return made
  }

  return {
    fetchTrusting: (authority) =>
      (async (url: string, init: object) => {
        const target = new URL(url)
        const through = chooseFor(target)
        const dispatcher = wayTo(target, through, authority())
        try {
          return await fetchWith(url, { ...init, dispatcher })
        } catch (error) {
          throw through === undefined ? error : withProxyNamed(error, through)
        }
      }) as unknown as Fetch,
  }
}

function directly(authority: string | undefined): Dispatcher {
  return new Agent({ ...tls('connect', authority), connections: CONNECTIONS, allowH2: false })
}

function throughProxy(proxy: string, authority: string | undefined): Dispatcher {
  return new ProxyAgent({
    uri: proxy,
    ...tls('requestTls', authority),
    connections: CONNECTIONS,
    allowH2: false,
    clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout: PROXY_TIMEOUT_MS }),
  })
}

function tls<Name extends string>(name: Name, authority: string | undefined): { [key in Name]?: { ca: string } } {
  return authority === undefined ? {} : ({ [name]: { ca: authority } } as { [key in Name]: { ca: string } })
}

/** Says which proxy failed: without it the message would speak of the identity provider. */
function withProxyNamed(error: unknown, proxy: string): unknown {
  if (!(error instanceof Error) || !(error.cause instanceof Error)) return error
  let { cause } = error
  // A tunnel that was refused comes as a request that was cancelled, with the reason below
  while (cause.cause instanceof Error) cause = cause.cause
  const status = /^Proxy response \((\d+)\)/.exec(cause.message)?.[1]
  const what = status === undefined ? cause.message || cause.name : `it answered CONNECT with status ${status}`
  const named = new Error(`through the proxy ${JSON.stringify(withoutCredentials(proxy))}: ${what}`, { cause })
  return Object.assign(
    new TypeError(error.message, { cause: Object.assign(named, 'code' in cause ? { code: cause.code } : {}) }),
  )
}
