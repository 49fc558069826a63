// What the proxy is told from outside, in one shape: the decision function and everything that may change on a reload.
// It holds values only; where they come from (settings, files, Redis) is not the proxy's business.
import type { Decide } from '../model/decision.ts'
import type { Refresh } from '../model/next-token.ts'

/** Bounds on messages, times and connections. Times are in milliseconds; 0 means no bound where the comment says so. */
export interface ProxyLimits {
  /** Bytes of the request line and all headers together. Read once, when the server is made. */
  readonly headerBytes: number
  /** How many header lines a request may have. */
  readonly headers: number
  /** Bytes of a request body; 0 is no bound. */
  readonly bodyBytes: number
  /** A whole request, body included, has to arrive within it; 0 is no bound. Read once, when the server is made. */
  readonly requestTimeoutMs: number
  /** The headers of a request have to arrive within it. Read once, when the server is made. */
  readonly headersTimeoutMs: number
  /** How long an idle kept-alive connection stays open. Read once, when the server is made. */
  readonly idleTimeoutMs: number
  /** How long a client may take nothing of an answer that waits for it; 0 is no bound. */
  readonly sendTimeoutMs: number
  readonly upstreamConnectTimeoutMs: number
  /** From the sent request to the first byte of the answer of the application; so long is waited for a free connection too. */
  readonly upstreamResponseTimeoutMs: number
  readonly upstreamConnections: number
}

/** How an app with https proves that it is the app. */
export interface UpstreamTls {
  /** Certificates as PEM that are trusted in place of those of the system. */
  readonly authority: string | undefined
  /** The name that its certificate must have; undefined: the host of the upstream. */
  readonly serverName: string | undefined
}

/** Which header names of requests cross to the app. */
export interface HeaderNamePolicy {
  /** `strict`: names of letters, digits and `-` alone · `token`: every name that HTTP knows. */
  readonly mode: 'strict' | 'token'
  /** They cross although `mode` or the list of the gate says no. */
  readonly allow: readonly string[]
  /** They do not cross, in whatever spelling; with `*` at the end all names that begin so. */
  readonly drop: readonly string[]
  /** Headers in which tokens come. */
  readonly sources: readonly string[]
}

/**
 * Why a header line of a request is left out. `name`: its name has characters that servers fold · `folded`: an app could read
 * it as a protected name · `listed`: it is on a list, in this spelling or another.
 */
export type DropReason = 'name' | 'folded' | 'listed'

/** An identity header that the app does not get although the token has the claim. */
export interface LeftOutIdentity {
  readonly issuer: string
  readonly header: string
  readonly claim: string
  /** `too_long`: more than 4 KiB · `not_text`: an object, broken Unicode, a number beyond 2^53, or a list with one in it. */
  readonly why: 'too_long' | 'not_text'
}

/** Told of what the app does not get, so that it can be counted. */
export interface LeftOut {
  readonly header: (why: DropReason) => void
  readonly identity: (what: LeftOutIdentity) => void
}

/** Everything that decides how a request is judged and rebuilt. A reload replaces the whole object; it is never changed. */
export interface ProxyPolicy {
  readonly decide: Decide
  /** Where the application listens: scheme, host and port. Its path must be `/`. */
  readonly upstream: URL
  readonly upstreamTls: UpstreamTls
  /** Which header carries which claim to the application. */
  readonly identity: readonly (readonly [header: string, claim: string])[]
  readonly headerNames: HeaderNamePolicy
  readonly leftOut: LeftOut
  /** Whether the token is removed before the application sees the request. */
  readonly stripToken: boolean
  /** Origins of pages that may read a refusal. */
  readonly corsOrigins: readonly string[]
  /** Whether forwarding headers of this peer address are believed. */
  readonly isTrustedProxy: (peer: string) => boolean
  /** The header that carries a refreshed token; it is removed from both directions, then set by us alone. */
  readonly refreshHeader: string | undefined
  readonly refresh: Refresh | undefined
  readonly limits: ProxyLimits
}
