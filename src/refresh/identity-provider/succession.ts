// May one admitted token be given out as the next of another? The identity provider answers for what it issues; this holds
// what a refresh must never do: change the person, add a right, or begin the session anew.
import { isDeepStrictEqual } from 'node:util'
import type { Claims, VerifiedToken } from '../../model/decision.ts'
import { isInWindow, type SuccessorPolicy, timeUntil } from '../successor.ts'

/**
 * Answers why `next` must not be given to the holder of `token`, for the operator, or nothing. Both were admitted. The end
 * of the session is not judged here.
 */
export function objectionTo(
  next: VerifiedToken,
  token: VerifiedToken,
  policy: SuccessorPolicy,
  nowSeconds: number,
): string | undefined {
  const [before, after] = [token.claims, next.claims]
  if (next.issuer !== token.issuer) return 'it is from another issuer'
  if (before.sub === undefined) return 'the token that it succeeds has no "sub", so nobody can tell whose it is'
  if (after.sub !== before.sub) return 'it is somebody else\'s: its "sub" is another one'
  // A rule against the session must find every token of it.
  if (before.sid !== undefined && after.sid !== before.sid) return 'it does not keep "sid"'
  if (!keepsAuthenticationTime(before, after)) return 'it does not keep "auth_time": an exchange is no log-in'
  if (!isDeepStrictEqual(after.cnf, before.cnf)) return 'it does not keep "cnf", the key that the holder has to prove'
  // A client that may ask for more than the holder had would hand it to everybody.
  if (!isWithin(next.scopes, token.scopes)) return 'it has a scope that the token before had not'
  if (!isWithin(audiencesOf(after), audiencesOf(before))) return 'it has an audience that the token before had not'
  if (isInWindow(next, policy, nowSeconds)) return 'it ends so soon that it would need the next one at once'
  return undefined
}

function keepsAuthenticationTime({ auth_time, exp }: Claims, { auth_time: after }: Claims): boolean {
  const before = timeUntil(exp, auth_time)
  return before === undefined || (typeof after === 'number' && after > 0 && after <= before)
}

function audiencesOf({ aud }: Claims): ReadonlySet<string> {
  return new Set(typeof aud === 'string' ? [aud] : aud)
}

function isWithin(names: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  return [...names].every((name) => all.has(name))
}
