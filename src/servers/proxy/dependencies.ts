// What the handler of requests is made of: everything that it needs comes in here, so that it reaches for nothing.

import type { Lifetime } from '../../gate/open-connections.ts'
import type { ProxyPolicy } from '../../http/limits.ts'
import type { Connections } from '../../http/listener/connections.ts'
import type { Permit } from '../../model/decision.ts'
import type { ErrorLogger } from '../../model/logger.ts'
import type { Outcome } from '../../model/outcome.ts'
import type { Forwarder } from '../../upstream/forward.ts'
import type { TunnelOrder } from '../../upstream/tunnel/tunnel.ts'

/** What the handler is made of. */
export interface HandlerParts {
  readonly current: () => ProxyPolicy
  readonly forwarder: (policy: ProxyPolicy) => Forwarder
  readonly tunnel: (permit: Permit, order: TunnelOrder) => () => void
  readonly lifetime: Lifetime
  readonly connections: Connections
  /** Called exactly once for each request. */
  readonly observe: (outcome: Outcome) => void
  readonly log: ErrorLogger
  /** Milliseconds that only move forward. */
  readonly monotonicMs: () => number
  /** Whether the server or its pod is going away: connections are closed after their present answer. */
  readonly isClosing: () => boolean
  /** How clients reach us. */
  readonly scheme: 'http' | 'https'
}
