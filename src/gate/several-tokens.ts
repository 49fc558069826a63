// Which of several tokens in cookies of one name counts? A login app and a gate may set the cookie for different hosts, and the
// browser sends both; somebody who can set cookies may add one. It must never choose between two people.
import type { SeveralTokens, VerifiedToken } from '../model/decision.ts'
import { isRefusal, type Refusal, statusOf } from '../model/refusal.ts'

/** What is asked of each of them. */
export interface CandidateQuestions {
  readonly verify: (token: string) => VerifiedToken | Refusal | Promise<VerifiedToken | Refusal>
  /** The refusal of a token that is not in its time. */
  readonly judgeTime: (token: VerifiedToken) => Refusal | undefined
  /** When a token says that it was issued, in unix seconds; 0 where it does not say. */
  readonly issuedAt: (token: string) => number
}

/** The token that counts. */
export interface ChosenToken {
  readonly token: string
  readonly verified: VerifiedToken
}

/**
 * The newest of the tokens that verify and are in time, a revoked one among them: an older one must not take its place. Where
 * they belong to different subjects, nobody knows whose request it is. Where none counts, the refusal of the newest is answered;
 * a trouble of ours before all others.
 */
export async function chooseToken(
  { tokens, multiple }: SeveralTokens,
  questions: CandidateQuestions,
): Promise<ChosenToken | Refusal> {
  const counting: ChosenToken[] = []
  const refused: { readonly refusal: Refusal; readonly issuedAt: number }[] = []
  for (const token of tokens) {
    const verified = await questions.verify(token)
    const refusal = isRefusal(verified) ? verified : questions.judgeTime(verified)
    if (refusal !== undefined) refused.push({ refusal, issuedAt: questions.issuedAt(token) })
    else if (!isRefusal(verified)) counting.push({ token, verified })
  }
  const [first, ...others] = counting.toSorted((one, other) => newerFirst(one.verified, other.verified))
  if (first !== undefined)
    return others.every(({ verified }) => isSamePerson(first.verified, verified)) ? first : multiple
  const newest = refused.toSorted((one, other) => weight(other) - weight(one))[0]
  return newest?.refusal ?? multiple
}

function newerFirst({ claims: one }: VerifiedToken, { claims: other }: VerifiedToken): number {
  return (other.iat ?? 0) - (one.iat ?? 0) || other.exp - one.exp
}

function isSamePerson(one: VerifiedToken, other: VerifiedToken): boolean {
  return one.issuer === other.issuer && one.claims.sub !== undefined && one.claims.sub === other.claims.sub
}

function weight({ refusal, issuedAt }: { readonly refusal: Refusal; readonly issuedAt: number }): number {
  return statusOf(refusal) === 503 ? Number.POSITIVE_INFINITY : issuedAt
}
