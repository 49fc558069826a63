// Is a token an access token, by what it says of its kind? A token made for another purpose is signed with the same key and has
// the same issuer, subject and often audience: a log-out token, an ID token, a proof (RFC 8725 section 3.11, RFC 9068 section 4).
import type { Claims } from '../model/decision.ts'

export interface TypePolicy {
  /** When set, `typ` must be one of them. */
  readonly tokenTypes: readonly string[] | undefined
  /** Whether ID tokens of Keycloak and Cognito are taken as well. */
  readonly allowIdTokens: boolean
}

/** Without a setting: no `typ`, or one of these. */
const ACCESS_TOKEN_TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/at+jwt'])
/** What Keycloak writes into the claim `typ` of tokens that are sent to itself alone. */
const NEVER_ACCESS_TOKENS: ReadonlySet<string> = new Set(['refresh', 'offline', 'logout'])

/** Why this is no access token, for the operator; nothing where it may be one. */
export function otherPurpose(type: string | undefined, claims: Claims, policy: TypePolicy): string | undefined {
  if (!isAccessTokenType(type, policy.tokenTypes))
    return policy.tokenTypes === undefined
      ? 'its "typ" is not that of an access token; "issuers[].tokenTypes" names the types that are taken'
      : `"typ" must be one of: ${policy.tokenTypes.join(', ')}`
  // RFC 8417 section 2.2: a security event, such as the log-out of OpenID Connect
  if (isObject(claims.events)) return 'its "events" make it a security event and no access token'
  const own = typeof claims.typ === 'string' ? claims.typ.toLowerCase() : ''
  if (NEVER_ACCESS_TOKENS.has(own)) return 'its claim "typ" makes it a token for the identity provider alone'
  const isIdToken = own === 'id' || (typeof claims.token_use === 'string' && claims.token_use.toLowerCase() === 'id')
  return isIdToken && !policy.allowIdTokens
    ? 'it is an ID token; "issuers[].allowIdTokens" takes those as well'
    : undefined
}

function isAccessTokenType(type: string | undefined, wanted: readonly string[] | undefined): boolean {
  if (wanted === undefined) return type === undefined || ACCESS_TOKEN_TYPES.has(type.toLowerCase())
  return type !== undefined && wanted.some((one) => withoutApplication(one) === withoutApplication(type))
}

/** RFC 7515 section 4.1.9: a media type, compared without case, `application/` left out. */
function withoutApplication(type: string): string {
  const lower = type.toLowerCase()
  return lower.startsWith('application/') ? lower.slice('application/'.length) : lower
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
