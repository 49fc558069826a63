// How does the next token reach the client? The same for a token that was signed here and one that the identity provider
// issued. It never judges a token: its caller has.
import type { TokenSource } from '../model/decision.ts'
import type { Delivery } from '../model/next-token.ts'

/** What became of a refresh, as the `result` label of refresh_total. */
export type RefreshResult = 'issued' | 'session_over' | 'own_token_too_large' | 'no_refresh_token' | 'failed'

/** The attributes of a cookie that carries a successor (RFC 6265bis section 4.1.2). */
export interface CookiePolicy {
  readonly path: string
  readonly sameSite: 'Strict' | 'Lax' | 'None'
  readonly secure: boolean
  readonly httpOnly: boolean
  readonly domain: string | undefined
  /** Whether the response header carries the next token of a cookie as well, where scripts can read it. Default: no. */
  readonly header?: boolean
}

export interface DeliveryPolicy {
  /** The response header that carries the next token. */
  readonly header: string
  readonly cookie: CookiePolicy
  /** Longer tokens are not given out, as they would be refused when they come back. */
  readonly maxBytes: number
}

/**
 * Answers the header lines that hand a token back the way its predecessor came. One from a cookie alone goes into the cookie
 * alone: the cookie is HttpOnly so that no script reads the token, and the header would hand it to every script of the page.
 */
export function deliveryOf(
  text: string,
  sources: readonly TokenSource[],
  policy: DeliveryPolicy,
  remainingSeconds: number,
): Delivery {
  const lines = []
  const isFromCookieAlone = sources.length > 0 && sources.every((source) => 'cookie' in source)
  if (!isFromCookieAlone || policy.cookie.header) lines.push({ name: policy.header, value: text })
  const maxAgeSeconds = Math.max(0, Math.floor(remainingSeconds))
  for (const source of sources)
    if ('cookie' in source)
      lines.push({ name: 'set-cookie', value: cookieLine(source.cookie, text, maxAgeSeconds, policy.cookie) })
  return lines
}

/** The Set-Cookie lines that take a cookie from the browser: for this host alone, and for the domain of the policy. */
export function expiryLines(name: string, policy: CookiePolicy): readonly string[] {
  const spellings = policy.domain === undefined ? [policy] : [{ ...policy, domain: undefined }, policy]
  return spellings.map((spelling) => cookieLine(name, '', 0, spelling))
}

/** A Set-Cookie line; `__Host-` and `__Secure-` names get the attributes that browsers demand of them. */
function cookieLine(name: string, value: string, maxAgeSeconds: number, policy: CookiePolicy): string {
  // Browsers look for these prefixes without regard to case
  const isHost = /^__host-/i.test(name)
  const isSecure = isHost || /^__secure-/i.test(name) || policy.secure || policy.sameSite === 'None'
  const parts = [`${name}=${value}`, `Path=${isHost ? '/' : policy.path}`, `Max-Age=${maxAgeSeconds}`]
  if (policy.domain !== undefined && !isHost) parts.push(`Domain=${policy.domain}`)
  if (policy.httpOnly) parts.push('HttpOnly')
  if (isSecure) parts.push('Secure')
  parts.push(`SameSite=${policy.sameSite}`)
  return parts.join('; ')
}
