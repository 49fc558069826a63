// Which header names belong to whom: computed once per policy, asked per header. It must never depend on a request.
import type { VerifiedToken } from '../model/decision.ts'
import type { ProxyPolicy } from './policy.ts'

/** Names that speak about one connection only (RFC 9110 section 7.6.1), and framing, which is always ours. */
const hopByHopNames: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** What an application may take for the path, the method or the host of a request although the client wrote it. */
const rewritingNames = [
  ...['x-original-url', 'x-rewrite-url', 'x-original-uri', 'x-original-method', 'x-original-host'],
  // A rule names methods: an application must not take another one for it
  ...['x-http-method-override', 'x-http-method', 'x-method-override'],
]

/** A client that names one of these in Connection wants it gone before the application looks (CVE-2024-45410, CVE-2025-48865). */
const alwaysProtected = [
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'content-range',
  'authorization',
  'cookie',
  'transfer-encoding',
  'expect',
  'forwarded',
  'via',
  'x-real-ip',
]

/** The names that one policy gives a meaning to, all in lower case. */
export interface HeaderRules {
  readonly policy: ProxyPolicy
  /** Never copied from a request to the application: hop-by-hop, framing, identity, refresh, rewriting. */
  readonly droppedFromRequest: ReadonlySet<string>
  /** Never copied from a response to the client. */
  readonly droppedFromResponse: ReadonlySet<string>
  /** May not be named by Connection. */
  readonly protectedNames: ReadonlySet<string>
  readonly refreshHeader: string | undefined
  /** The identity lines of a token, made once: a token is asked for them on every request. */
  readonly identityLines: WeakMap<VerifiedToken, readonly string[]>
}

const rulesByPolicy = new WeakMap<ProxyPolicy, HeaderRules>()

/** The header rules of a policy; the same object for the same policy. */
export function headerRules(policy: ProxyPolicy): HeaderRules {
  const known = rulesByPolicy.get(policy)
  if (known !== undefined) return known
  const identityNames = policy.identity.map(([header]) => header.toLowerCase())
  const refreshHeader = policy.refreshHeader?.toLowerCase()
  const ours = refreshHeader === undefined ? identityNames : [...identityNames, refreshHeader]
  const rules: HeaderRules = {
    policy,
    droppedFromRequest: new Set([
      ...hopByHopNames,
      ...rewritingNames,
      ...ours,
      'host',
      'content-length',
      'expect',
      'max-forwards',
    ]),
    droppedFromResponse: new Set([...hopByHopNames, ...(refreshHeader === undefined ? [] : [refreshHeader])]),
    protectedNames: new Set([...alwaysProtected, ...ours]),
    refreshHeader,
    identityLines: new WeakMap(),
  }
  rulesByPolicy.set(policy, rules)
  return rules
}
