// How does the gate know that an app with https is the app? The same for requests and for tunnels: by the name in the settings,
// never by the Host of a request, which the client chose.
import { Agent } from 'node:https'
import { isIP } from 'node:net'
import type { UpstreamTls } from '../http/limits.ts'

/** What node:tls takes. */
export interface TlsOptions {
  /** Empty where the app has an address and no name: then the certificate must hold the address. */
  readonly servername: string
  readonly ca?: string
}

/** The name that the certificate of the app must hold, or its address. */
export function certificateName(upstream: URL, { serverName }: UpstreamTls): string {
  return serverName ?? upstream.hostname.replace(/^\[|\]$/g, '')
}

/** The options of a connection to the app. */
export function tlsOptions(upstream: URL, tls: UpstreamTls): TlsOptions {
  const name = certificateName(upstream, tls)
  const servername = isIP(name) === 0 ? name : ''
  return tls.authority === undefined ? { servername } : { servername, ca: tls.authority }
}

const agents = new WeakMap<UpstreamTls, Agent>()

/** The agent that opens tunnels to an app with https; nothing for one with http. */
export function tunnelAgent(upstream: URL, tls: UpstreamTls): Agent | undefined {
  if (upstream.protocol !== 'https:') return undefined
  const agent = agents.get(tls) ?? new Agent({ keepAlive: false, ...tlsOptions(upstream, tls) })
  agents.set(tls, agent)
  return agent
}
