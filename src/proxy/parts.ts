// What the handler of requests is made of: everything that it needs comes in here, so that it reaches for nothing.

import type { Permit } from '../model/decision.ts'
import type { ErrorLogger } from '../model/logger.ts'
import type { Outcome } from '../model/outcome.ts'
import type { Connections } from './connections.ts'
import type { Forwarder } from './forward.ts'
import type { Lifetime } from './lifetime.ts'
import type { ProxyPolicy } from './policy.ts'
import type { TunnelOrder } from './tunnel.ts'

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
