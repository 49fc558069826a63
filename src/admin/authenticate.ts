// Does this request carry the admin token? Compared in constant time. Wrong ones are told to wait after a few, so that a
// client with an old token stops asking; what keeps the token from being guessed is its length.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../model/clock.ts'

const FAILURES_PER_MINUTE = 10

export type AdminAnswer = 'granted' | 'wrong' | 'too_many_failures'

/**
 * Makes the function that judges an `Authorization` header. `token` answers the current admin token, so that a changed
 * file counts at once. After ten wrong ones within a minute, wrong ones are told to wait; the right one always passes, or an attacker could
 * lock the operator out.
 */
export function createAuthenticator(
  token: () => string,
  clock: Clock,
): (authorization: string | undefined) => AdminAnswer {
  let windowStartedMs = 0
  let failures = 0
  return (authorization) => {
    if (isSame(afterBearer(authorization), token())) return 'granted'
    if (clock() - windowStartedMs > 60_000) {
      windowStartedMs = clock()
      failures = 0
    }
    failures++
    return failures > FAILURES_PER_MINUTE ? 'too_many_failures' : 'wrong'
  }
}

function afterBearer(authorization: string | undefined): string {
  return /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
}

/** Digests have one length: neither the time nor an exception tells how long the token is. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected)) && expected !== ''
}
