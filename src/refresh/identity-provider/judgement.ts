// May a token that the identity provider issued be handed out as the next of another? Asked about each one, also where
// another gate has judged it already and left it in Redis.
import type { Admit } from '../../gate/admission.ts'
import type { Clock } from '../../model/clock.ts'
import type { VerifiedToken } from '../../model/decision.ts'
import { isRefusal } from '../../model/refusal.ts'
import type { RefreshResult } from '../delivery.ts'
import { type SuccessorPolicy, sessionEndSeconds } from '../successor.ts'
import { objectionTo } from './succession.ts'

/** The characters of a compact JWS, and so nothing that could end a header line. */
const COMPACT_TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** A next token that may be handed out. */
export interface IssuedToken {
  readonly state: 'issued'
  readonly text: string
  readonly expiresAtSeconds: number
  /** When the gate refuses it, the clock tolerance included. */
  readonly refusedFromSeconds: number
}

/** There is no next token and there will be none. */
export interface SessionOver {
  readonly state: 'over'
}

/** Judges a token as the next of another one, which is given as verified and as text. Throws `Unfit`. */
export type Judge = (next: string, token: VerifiedToken, text: string) => Promise<IssuedToken | SessionOver>

/** A token that was issued and must not be given out. */
export class Unfit extends Error {
  override name = 'Unfit' as const
  readonly result: RefreshResult

  constructor(reason: string, result: RefreshResult = 'failed') {
    super(`Cannot use the token that the provider issued: ${reason}`)
    this.result = result
  }
}

export interface JudgeParts {
  readonly policy: SuccessorPolicy & { readonly maxBytes: number }
  readonly admit: Admit
  readonly clock: Clock
}

/** Makes the function that judges. */
export function createJudge({ policy, admit, clock }: JudgeParts): Judge {
  return async (next, token, text) => {
    if (next.length > policy.maxBytes)
      throw new Unfit(`it has ${next.length} bytes, more than ${policy.maxBytes}`, 'own_token_too_large')
    if (!COMPACT_TOKEN.test(next)) throw new Unfit('it is not a JWT in compact form')
    const admitted = await admit(next)
    if (isRefusal(admitted)) throw new Unfit(`the gate would refuse it as "${admitted.reason}"`)
    const objection = objectionTo(admitted, token, policy, clock() / 1000)
    if (objection !== undefined) throw new Unfit(objection)
    // Time has passed since the request was admitted: who was revoked meanwhile gets nothing.
    const before = await admit(text)
    if (isRefusal(before)) throw new Unfit(`the token that it succeeds is refused by now as "${before.reason}"`)
    const { claims, refusedFromSeconds } = admitted
    if (claims.exp > sessionEndSeconds(token, policy)) return { state: 'over' }
    return { state: 'issued', text: next, expiresAtSeconds: claims.exp, refusedFromSeconds }
  }
}
