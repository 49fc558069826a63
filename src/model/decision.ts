// The vocabulary of a decision: what is asked (RequestView), what has been proven (VerifiedToken) and what is answered
// (Permit or Refusal). VerifiedToken and Permit are evidence: branded types that one module each can make, so that
// "forward without permission" has no spelling. test/architecture.test.ts holds who may make them.
import type { Refusal } from './refusal.ts'

declare const verified: unique symbol
declare const permitted: unique symbol

/** A request as the gate sees it: bytes as they came, nothing decoded, nothing joined. */
export interface RequestView {
  readonly method: string
  /** The path of the request target, without the query, byte for byte as it is forwarded. */
  readonly path: string
  /** What follows the first `?`, without it; empty where there is none. */
  readonly query: string
  /** Names (lower case) and values in turn, in the order of arrival. */
  readonly headers: readonly string[]
  /** The host and port that were asked for; absent where no request came in, as for `explain`. */
  readonly host?: string
  /** Set where the request is a WebSocket handshake. */
  readonly upgrade?: 'websocket' | undefined
  /** The address of the other end of the connection. */
  readonly peer?: string
}

/** The claims of a token: a JSON object, its registered members checked for their type (RFC 7519 section 4.1). */
export interface Claims {
  readonly iss: string
  readonly exp: number
  readonly iat?: number
  readonly nbf?: number
  readonly sub?: string
  readonly jti?: string
  readonly sid?: string
  readonly aud?: string | readonly string[]
  readonly [claim: string]: unknown
}

/** A token whose signature and claims were verified. Made by token/verify.ts alone; its time is judged per request. */
export interface VerifiedToken {
  readonly [verified]: true
  readonly claims: Claims
  /** The configured issuer that vouches for it. */
  readonly issuer: string
  readonly algorithm: string
  readonly type: string | undefined
  /** The key that verified it: its id, or a name made of the key. A token cannot choose it. */
  readonly keyId: string | undefined
  /** The `kid` that the token itself names; it may name none, or for a key without an id, any. */
  readonly namedKeyId?: string | undefined
  /** Whether one of the gate's own keys verified it. Only then may its `sid` be the id of the token that began its session. */
  readonly isSuccessor: boolean
  /** Of a successor: the name of the key that verified the first token of its session. Older gates wrote none. */
  readonly originalKeyId?: string | undefined
  /** What a `token` rule names: the jti, or `sha256:` and the digest of `header.payload` where it has none. */
  readonly id: string
  /** Unix seconds from which it must be refused, the issuer's clock tolerance included. */
  readonly refusedFromSeconds: number
  /** Unix seconds before which it must be refused, the issuer's clock tolerance included; 0 where it has no nbf. */
  readonly refusedBeforeSeconds: number
  readonly scopes: ReadonlySet<string>
}

/** Where a token was found: needed to strip it, and to give its successor back the same way. */
export type TokenSource = { readonly header: string } | { readonly cookie: string } | { readonly query: string }

/** A token as it stands in a request, not yet read. */
export interface FoundToken {
  readonly token: string
  /** All places where it is: equal tokens are one. */
  readonly sources: readonly TokenSource[]
  /** Where the cookie is there with several values: all that are tokens, of which `token` is the first. */
  readonly several: SeveralTokens | undefined
}

/** Tokens of one cookie name, of which it is not known yet which one counts. */
export interface SeveralTokens {
  readonly tokens: readonly string[]
  /** What is answered where they belong to different people. */
  readonly multiple: Refusal
}

/**
 * Names the member of a Permit that holds the token's text. A symbol, so that no serializer takes it along: JSON, and with
 * it every log line, leaves it out.
 */
export const credential: unique symbol = Symbol('credential')

/** A "yes". Made by gate.ts alone. */
export interface Permit {
  readonly [permitted]: true
  /** `public`: the route needs no token · `shadow`: would have been refused, but shadow mode forwards it. */
  readonly decision: 'permit' | 'public' | 'shadow'
  readonly token: VerifiedToken | undefined
  /** Every place where the token is: one, but for equal tokens in several. */
  readonly sources: readonly TokenSource[]
  /** Whether the cookie holds other tokens as well, which the app must not get. */
  readonly isOneOfSeveral: boolean
  /** The admitted token as it came: for the exchanger, never for a log. */
  readonly [credential]?: string | undefined
  /** In shadow mode: what would have been answered. */
  readonly wouldRefuse: Refusal | undefined
}

export type Decision = Permit | Refusal

/** The one decision function: at once where everything needed is at hand, as a promise where it has to be fetched. */
export type Decide = (view: RequestView) => Decision | Promise<Decision>
