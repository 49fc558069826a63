// Should this request's answer carry the next token? Asked once per admitted request, answered without a promise for
// every token outside its window. A successor that cannot be made never fails the request.
import { LRUCache } from 'lru-cache'
import type { Clock } from '../model/clock.ts'
import type { Permit, VerifiedToken } from '../model/decision.ts'
import { isInWindow, type SuccessorClaims, type SuccessorPolicy, successor } from './successor.ts'

export type RefreshResult = 'issued' | 'session_over' | 'own_token_too_large' | 'failed'

/** The response headers that carry the next token: the configured one, and Set-Cookie where it came in a cookie. */
export type Delivery = readonly { readonly name: string; readonly value: string }[]

/** The attributes of a cookie that carries a successor (RFC 6265bis section 4.1.2). */
export interface CookiePolicy {
  readonly path: string
  readonly sameSite: 'Strict' | 'Lax' | 'None'
  readonly secure: boolean
  readonly httpOnly: boolean
  readonly domain: string | undefined
}

export interface RefresherParts {
  readonly policy: SuccessorPolicy & {
    readonly header: string
    readonly cookie: CookiePolicy
    readonly maxBytes: number
  }
  /** Signs the claims, with the `typ` of the token that they succeed. */
  readonly sign: (claims: SuccessorClaims, type: string | undefined) => Promise<string>
  readonly clock: Clock
  readonly observe: (issuer: string, result: RefreshResult) => void
}

/** Answers what to deliver with the response to an admitted request, or nothing. Never rejects. */
export type Refresher = (permit: Permit) => Delivery | undefined | Promise<Delivery | undefined>

const REMEMBERED_SUCCESSORS = 10_000

/**
 * Makes the function that answers the successor for an admitted request. Signed successors are remembered: they are the same
 * for every request in the window, and with a randomised algorithm all requests of one gate then get the same bytes.
 */
export function createRefresher({ policy, sign, clock, observe }: RefresherParts): Refresher {
  const signed = new LRUCache<string, string>({ max: REMEMBERED_SUCCESSORS })

  async function issue(token: VerifiedToken, claims: SuccessorClaims, key: string): Promise<string | undefined> {
    try {
      if (!survivesJson(claims)) throw new Error('a claim cannot be copied exactly')
      const text = await sign(claims, token.type)
      signed.set(key, text)
      return text
    } catch {
      observe(token.issuer, 'failed')
      return undefined
    }
  }

  function deliver(permit: Permit, token: VerifiedToken, text: string, expiresAtSeconds: number): Delivery | undefined {
    if (text.length > policy.maxBytes) {
      observe(token.issuer, 'own_token_too_large')
      return undefined
    }
    observe(token.issuer, 'issued')
    const { source } = permit
    const maxAgeSeconds = Math.max(0, Math.floor(expiresAtSeconds - clock() / 1000))
    const header = { name: policy.header, value: text }
    if (source === undefined || !('cookie' in source)) return [header]
    return [header, { name: 'set-cookie', value: cookieLine(source.cookie, text, maxAgeSeconds, policy.cookie) }]
  }

  return (permit) => {
    const { token } = permit
    if (token === undefined || !isInWindow(token, policy, clock() / 1000)) return undefined
    const claims = successor(token, policy)
    if (claims === undefined) {
      observe(token.issuer, 'session_over')
      return undefined
    }
    const expiresAtSeconds = claims.exp as number
    const key = `${token.issuer}\0${token.id}`
    const known = signed.get(key)
    if (known !== undefined) return deliver(permit, token, known, expiresAtSeconds)
    return issue(token, claims, key).then((text) =>
      text === undefined ? undefined : deliver(permit, token, text, expiresAtSeconds),
    )
  }
}

/** A Set-Cookie line; `__Host-` and `__Secure-` names get the attributes that browsers demand of them. */
function cookieLine(name: string, value: string, maxAgeSeconds: number, policy: CookiePolicy): string {
  const isHost = name.startsWith('__Host-')
  const isSecure = isHost || name.startsWith('__Secure-') || policy.secure || policy.sameSite === 'None'
  const parts = [`${name}=${value}`, `Path=${isHost ? '/' : policy.path}`, `Max-Age=${maxAgeSeconds}`]
  if (policy.domain !== undefined && !isHost) parts.push(`Domain=${policy.domain}`)
  if (policy.httpOnly) parts.push('HttpOnly')
  if (isSecure) parts.push('Secure')
  parts.push(`SameSite=${policy.sameSite}`)
  return parts.join('; ')
}

/**
 * JSON numbers beyond 2^53 were rounded when the token was read: a successor would carry another value, which could be
 * somebody else's account number.
 */
function survivesJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).every(survivesJson)
}
