// May a page of this origin use the cookie of the browser? Only requests whose token came in a cookie are asked: a browser sends
// cookies with whatever any page asks for, and for a WebSocket without the same-origin policy (CWE-1385, RFC 6455 section 10.2).
import type { RequestView, TokenSource } from '../model/decision.ts'
import { type Refusal, refuse } from '../model/refusal.ts'

export interface OriginPolicy {
  /** Other origins whose pages may ask, as browsers write them. */
  readonly corsOrigins: readonly string[]
  /** Whether methods that change something are asked as well; upgrades always are. */
  readonly isCrossSiteRefused: boolean
  /** The host and port that the client asked for, as the app gets them; empty where that is not known. */
  readonly publicHost: (view: RequestView) => string
}

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])
const notAllowed = refuse('origin_not_allowed')

/**
 * Makes the function that answers `origin_not_allowed`, or nothing. An origin is this host where host and port are those that the
 * client asked for. A request without Origin passes: it is no browser's, or one of this very page.
 */
export function createOriginCheck(
  policy: OriginPolicy,
): (view: RequestView, sources: readonly TokenSource[]) => Refusal | undefined {
  return (view, sources) => {
    const isUpgrade = view.upgrade !== undefined
    if (!isUpgrade && (!policy.isCrossSiteRefused || SAFE_METHODS.has(view.method))) return undefined
    if (!sources.every((source) => 'cookie' in source)) return undefined
    return judgeOrigins(view, policy)
  }
}

function judgeOrigins(view: RequestView, policy: OriginPolicy): Refusal | undefined {
  const origins: string[] = []
  let isCrossSite = false
  for (let at = 0; at < view.headers.length; at += 2) {
    const [name, value = ''] = [view.headers[at], view.headers[at + 1]]
    if (name === 'origin') origins.push(value)
    else if (name === 'sec-fetch-site') isCrossSite = value === 'cross-site'
  }
  if (origins.length === 0) return isCrossSite ? notAllowed : undefined
  const own = authorityOf(policy.publicHost(view))
  return origins.every((origin) => policy.corsOrigins.includes(origin) || isOwn(origin, own)) ? undefined : notAllowed
}

/** `null`, which any sandboxed frame sends, is nobody's own. */
function isOwn(origin: string, own: string): boolean {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#@\s]+)$/i.exec(origin)?.[1]
  return authority !== undefined && own !== '' && authorityOf(authority) === own
}

/** In lower case and without a default port: what encrypts in front of the gate changes the scheme, not the host. */
function authorityOf(hostAndPort: string): string {
  return hostAndPort.toLowerCase().replace(/:(?:80|443)$/, '')
}
