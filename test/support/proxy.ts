// A really listening proxy with a decision function of the test's own, its clock and everything it reported.

import { createLifetime, type Lifetime } from '../../src/gate/open-connections.ts'
import type { DropReason, ProxyLimits, ProxyPolicy } from '../../src/http/limits.ts'
import type { ListenerCertificates } from '../../src/http/listener/listener.ts'
import type { Claims, Decide, Decision, Permit, TokenSource, VerifiedToken } from '../../src/model/decision.ts'
import type { Outcome } from '../../src/model/outcome.ts'
import { type Reason, refuse } from '../../src/model/refusal.ts'
import { createProxyServer, type ProxyServer } from '../../src/servers/proxy/server.ts'
import { scopesOf } from '../../src/token/claims.ts'

export const limits: ProxyLimits = {
  headerBytes: 16_384,
  headers: 100,
  bodyBytes: 0,
  requestTimeoutMs: 0,
  headersTimeoutMs: 10_000,
  idleTimeoutMs: 75_000,
  sendTimeoutMs: 60_000,
  upstreamConnectTimeoutMs: 2_000,
  upstreamResponseTimeoutMs: 60_000,
  upstreamConnections: 64,
}

/** A permit for a public path. */
const publicPermit = {
  decision: 'public',
  token: undefined,
  sources: [],
  isOneOfSeveral: false,
  wouldRefuse: undefined,
} as unknown as Permit

/** A token as the verifier would have made it. */
export function verifiedToken(claims: Partial<Claims> = {}, refusedFromSeconds = 4_000_000_000): VerifiedToken {
  return {
    claims: { iss: 'https://id.example', exp: refusedFromSeconds, sub: 'alice', ...claims },
    issuer: 'https://id.example',
    algorithm: 'ES256',
    type: 'JWT',
    keyId: 'k1',
    id: 'token-1',
    refusedFromSeconds,
    refusedBeforeSeconds: 0,
    scopes: scopesOf({ iss: '', exp: 0, ...claims }),
  } as unknown as VerifiedToken
}

/** A permit for the holder of a token. */
export function tokenPermit(token: VerifiedToken, source: TokenSource = { header: 'authorization' }): Permit {
  return {
    decision: 'permit',
    token,
    sources: [source],
    isOneOfSeveral: false,
    wouldRefuse: undefined,
  } as unknown as Permit
}

export function admitAll(): Decision {
  return publicPermit
}

export interface TestProxy {
  readonly port: number
  readonly server: ProxyServer
  readonly outcomes: Outcome[]
  readonly errors: string[]
  readonly lifetime: Lifetime
  readonly ended: [string, Reason][]
  /** How many header lines of requests were left out, by reason. */
  readonly leftOut: Partial<Record<DropReason, number>>
  readonly counts: { websocket?: number; stream?: number }
  readonly revoke: (reason: Reason) => void
  readonly setPolicy: (change: Partial<ProxyPolicy>) => void
  /** The time that the registry of guarded connections sees, in milliseconds. */
  readonly turnClockTo: (nowMs: number) => void
  readonly close: () => Promise<void>
}

export async function startProxy(
  upstream: URL,
  options: Partial<Omit<ProxyPolicy, 'limits'>> & {
    limits?: Partial<ProxyLimits>
    decide?: Decide
    certificates?: ListenerCertificates
    isLeaving?: () => boolean
    maxConnections?: number
    onRefusedConnection?: (cause: string) => void
  } = {},
): Promise<TestProxy> {
  const outcomes: Outcome[] = []
  const errors: string[] = []
  const ended: [string, Reason][] = []
  const counts: TestProxy['counts'] = {}
  const leftOut: TestProxy['leftOut'] = {}
  let nowMs = 1_000_000
  let revoked: Reason | undefined
  const { limits: changedLimits, certificates, isLeaving, maxConnections, onRefusedConnection, ...changed } = options
  let policy: ProxyPolicy = {
    decide: admitAll,
    upstream,
    upstreamTls: { authority: undefined, serverName: undefined },
    identity: [
      ['x-auth-subject', 'sub'],
      ['X-Auth-Scope', 'scope'],
    ],
    headerNames: { mode: 'strict', allow: [], drop: [], sources: ['authorization'] },
    leftOut: {
      header: (why) => {
        leftOut[why] = (leftOut[why] ?? 0) + 1
      },
      identity: () => {},
    },
    stripToken: false,
    corsOrigins: [],
    isTrustedProxy: () => false,
    refreshHeader: 'x-refreshed-token',
    refresh: undefined,
    ...changed,
    limits: { ...limits, ...changedLimits },
  }
  const lifetime = createLifetime({
    clock: () => nowMs,
    isEnforced: () => true,
    ask: (_, token) => {
      if (revoked !== undefined) return refuse(revoked)
      return token !== undefined && nowMs / 1000 >= token.refusedFromSeconds ? refuse('token_expired') : publicPermit
    },
    onCount: (type, count) => {
      counts[type] = count
    },
    onEnded: (type, reason) => ended.push([type, reason]),
  })
  const server = createProxyServer({
    current: () => policy,
    lifetime,
    observe: (outcome) => outcomes.push(outcome),
    log: { error: (fields, message) => errors.push(`${message} ${JSON.stringify(fields)}`) },
    monotonicMs: () => performance.now(),
    certificates,
    isLeaving,
    ...(maxConnections !== undefined && { maxConnections }),
    onRefusedConnection,
  })
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    port,
    server,
    outcomes,
    errors,
    lifetime,
    ended,
    counts,
    leftOut,
    revoke: (reason) => {
      revoked = reason
    },
    setPolicy: (change) => {
      policy = { ...policy, ...change }
    },
    turnClockTo: (toMs) => {
      nowMs = toMs
    },
    close: async () => {
      lifetime.close()
      await server.drain(0)
    },
  }
}
