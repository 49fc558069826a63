// Should this request's answer carry the next token, signed by our own key? Asked once per admitted request, answered
// without a promise for every token outside its window. A successor that cannot be made never fails the request.
import type { Clock } from '../model/clock.ts'
import type { Permit, VerifiedToken } from '../model/decision.ts'
import type { Delivery, Refresh } from '../model/next-token.ts'
import { type DeliveryPolicy, deliveryOf, type RefreshResult } from './delivery.ts'
import { isInWindow, type SuccessorClaims, type SuccessorPolicy, successor } from './successor.ts'

export interface RefresherParts {
  readonly policy: SuccessorPolicy &
    DeliveryPolicy & {
      /** The `iss` of successors; absent: that of the token before. */
      readonly issuer?: string | undefined
    }
  /** Signs the claims, with the `typ` of the token that they succeed. */
  readonly sign: (claims: SuccessorClaims, type: string | undefined) => Promise<string>
  readonly clock: Clock
  readonly observe: (issuer: string, result: RefreshResult) => void
}

/**
 * Makes the function that answers the successor for an admitted request. Signed successors are remembered: they are the same
 * for every request in the window, and with a randomised algorithm all requests of one gate then get the same bytes.
 */
export function createRefresher({ policy, sign, clock, observe }: RefresherParts): Refresh {
  // By the proof, not by the token's id: an issuer that gives two tokens one jti must not have them swapped.
  const signed = new WeakMap<VerifiedToken, string | Promise<string | undefined>>()

  /** Signs once for all requests that ask at the same time. */
  function issue(token: VerifiedToken, claims: SuccessorClaims): Promise<string | undefined> {
    const signing = trySigning(token, claims).then((text) => {
      if (text === undefined) signed.delete(token)
      else signed.set(token, text)
      return text
    })
    signed.set(token, signing)
    return signing
  }

  async function trySigning(token: VerifiedToken, claims: SuccessorClaims): Promise<string | undefined> {
    try {
      if (!isCopyable(claims)) throw new Error('a claim cannot be copied exactly')
      return await sign(claims, token.type)
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
    return deliveryOf(text, permit.sources, policy, expiresAtSeconds - clock() / 1000)
  }

  return (permit) => {
    const { token } = permit
    if (token === undefined || !isInWindow(token, policy, clock() / 1000)) return undefined
    const claims = successor(token, policy, policy.issuer)
    if (claims === undefined) {
      observe(token.issuer, 'session_over')
      return undefined
    }
    const expiresAtSeconds = claims.exp as number
    const text = signed.get(token) ?? issue(token, claims)
    if (typeof text === 'string') return deliver(permit, token, text, expiresAtSeconds)
    return text.then((late) => (late === undefined ? undefined : deliver(permit, token, late, expiresAtSeconds)))
  }
}

/**
 * Answers whether a value can be copied into a successor as it is. JSON numbers beyond 2^53 were rounded when the token
 * was read: a successor would carry another value, which could be somebody else's account number.
 */
export function isCopyable(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).every(isCopyable)
}
