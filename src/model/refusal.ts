// The closed table of every reason for which a request is refused: the one place that knows the status, the challenge,
// the public sentence of a reason and how it is counted. The same string is the metric label, the problem type, the log
// field and the word that `sidegate explain` prints. A reason outside this table, or without a column, does not compile.

/**
 * Where in the life of a request a reason is found. Its metric series follow from it, and what shadow mode can pass.
 *
 * - `message`: before the gate decides anything. It has no issuer, and shadow mode cannot let it through.
 * - `before_issuer`: before the issuer of the token is known.
 * - `around_issuer`: before the issuer is known as well as after.
 * - `after_issuer`: once the issuer is known.
 * - `beyond`: a trouble of the app or a bug of ours, which says nothing about the request. It is counted as an error.
 */
type FoundAt = 'message' | 'before_issuer' | 'around_issuer' | 'after_issuer' | 'beyond'

/**
 * What an answer of each status must have: a 401 its challenge (RFC 9110 section 15.5.2), a 503 when to come again.
 * `challenge` is the error of `WWW-Authenticate` (RFC 6750 section 3.1); `bare` is the challenge without an error.
 */
type RefusalSpec = {
  readonly found: FoundAt
  /** What the client may read. Never a value from the request, the token or the settings. */
  readonly sentence: string
} & (
  | { readonly status: 400 | 431 | 500 | 502 | 504; readonly challenge?: never; readonly retryAfterSeconds?: never }
  | { readonly status: 401; readonly challenge: 'bare' | 'invalid_token'; readonly retryAfterSeconds?: never }
  | { readonly status: 403; readonly challenge?: 'insufficient_scope'; readonly retryAfterSeconds?: never }
  | { readonly status: 503; readonly challenge?: never; readonly retryAfterSeconds: number }
)

const invalidToken = { status: 401, challenge: 'invalid_token' } as const

export const refusals = {
  message_invalid: {
    status: 400,
    found: 'message',
    sentence: 'The request is malformed or ambiguous',
  },
  path_ambiguous: { status: 400, found: 'before_issuer', sentence: 'The path can be read in more than one way' },
  token_multiple: { status: 400, found: 'before_issuer', sentence: 'The request carries more than one token' },
  token_too_large: { status: 400, found: 'before_issuer', sentence: 'The token is larger than this server accepts' },
  headers_too_large: { status: 431, found: 'message', sentence: 'The request has too many or too large headers' },

  token_missing: { status: 401, challenge: 'bare', found: 'before_issuer', sentence: 'The request carries no token' },
  token_malformed: { ...invalidToken, found: 'around_issuer', sentence: 'The token is not a well-formed JWT' },
  algorithm_not_allowed: {
    ...invalidToken,
    found: 'around_issuer',
    sentence: 'The token is signed with an algorithm that is not allowed',
  },
  issuer_unknown: { ...invalidToken, found: 'before_issuer', sentence: 'The issuer of the token is not trusted here' },
  key_unknown: { ...invalidToken, found: 'after_issuer', sentence: 'The token is signed with a key that is not known' },
  signature_invalid: { ...invalidToken, found: 'after_issuer', sentence: 'The signature of the token does not match' },
  token_expired: { ...invalidToken, found: 'after_issuer', sentence: 'The token has expired' },
  token_not_yet_valid: { ...invalidToken, found: 'after_issuer', sentence: 'The token is not valid yet' },
  lifetime_too_long: { ...invalidToken, found: 'after_issuer', sentence: 'The token is valid for too long a time' },
  audience_mismatch: { ...invalidToken, found: 'after_issuer', sentence: 'The token is meant for another audience' },
  type_mismatch: { ...invalidToken, found: 'after_issuer', sentence: 'The token is of another type' },
  claim_missing: { ...invalidToken, found: 'around_issuer', sentence: 'The token lacks a required claim' },
  proof_missing: {
    ...invalidToken,
    found: 'after_issuer',
    sentence: 'The token is bound to a key, and the request does not prove that it has it',
  },
  token_revoked: { ...invalidToken, found: 'after_issuer', sentence: 'The token has been revoked' },

  scope_insufficient: {
    status: 403,
    challenge: 'insufficient_scope',
    found: 'after_issuer',
    sentence: 'The token lacks a scope that this path requires',
  },
  claim_mismatch: {
    status: 403,
    challenge: 'insufficient_scope',
    found: 'after_issuer',
    sentence: 'The token lacks a claim value that this path requires',
  },

  origin_not_allowed: {
    status: 403,
    found: 'after_issuer',
    sentence: 'Pages of this origin may not use the cookie of this host',
  },

  upstream_unreachable: { status: 502, found: 'beyond', sentence: 'The application cannot be reached' },
  upstream_failed: {
    status: 502,
    found: 'beyond',
    sentence: 'The application closed the connection or sent an invalid response',
  },
  // Drained or overloaded servers are left to another pod soon; a dependency needs a little longer
  keys_unavailable: {
    status: 503,
    retryAfterSeconds: 5,
    found: 'after_issuer',
    sentence: 'The keys that verify this token are not available at the moment',
  },
  revocation_stale: {
    status: 503,
    retryAfterSeconds: 5,
    found: 'after_issuer',
    sentence: 'The revocation list is not up to date at the moment',
  },
  overloaded: {
    status: 503,
    retryAfterSeconds: 1,
    found: 'after_issuer',
    sentence: 'The server is overloaded',
  },
  draining: { status: 503, retryAfterSeconds: 1, found: 'message', sentence: 'The server is shutting down' },
  upstream_timeout: { status: 504, found: 'beyond', sentence: 'The application did not answer in time' },

  internal: { status: 500, found: 'beyond', sentence: 'Something went wrong in the gate; nothing was forwarded' },
} as const satisfies Record<string, RefusalSpec>

/** Every reason for which a request can be refused. */
export type Reason = keyof typeof refusals

export const reasons = Object.keys(refusals) as readonly Reason[]

/** The row of the table, with the optional members that `as const` hides. */
export function refusalSpec(reason: Reason): RefusalSpec {
  return refusals[reason]
}

/**
 * A "no", as a value: never thrown.
 *
 * `detail` is for the operator only (the log, `explain`); it never holds a token, a signature or a secret and never
 * reaches the client. `status` narrows the table's status where HTTP has a more exact one for the same reason
 * (405, 408, 413 and 417 are all `message_invalid`).
 */
export interface Refusal {
  readonly decision: 'refuse'
  readonly reason: Reason
  readonly detail?: string
  /** The configured issuer, once it is known: a closed set, safe as a metric label. */
  readonly issuer?: string
  /** What a `token` rule would name, once the token is verified: for the log, never for a metric. */
  readonly tokenId?: string
  readonly status?: 405 | 408 | 413 | 417
  /** Set-Cookie lines of the answer: they take cookies away that the browser could not get rid of otherwise. */
  readonly setCookies?: readonly string[]
}

/** Makes a refusal. Answers the same shape whatever is given, so that call sites stay monomorphic. */
export function refuse(reason: Reason, more: Omit<Refusal, 'decision' | 'reason'> = {}): Refusal {
  return { decision: 'refuse', reason, ...more }
}

/** The HTTP status that a refusal answers with. */
export function statusOf(refusal: Refusal): number {
  return refusal.status ?? refusals[refusal.reason].status
}

/**
 * Tells a refusal from the answer that it stands in for. For values of our own making only: never for parsed claims,
 * whose members an attacker names.
 */
export function isRefusal<T extends object>(value: T | Refusal): value is Refusal {
  return 'decision' in value && value.decision === 'refuse'
}
