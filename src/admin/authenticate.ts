// Does this request carry the admin token? Compared in constant time. Wrong ones are told to wait after a few, so that a
// client with an old token stops asking; what keeps the token from being guessed is its length.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../model/clock.ts'
import { type Answer, problem } from './answer.ts'

const FAILURES_PER_MINUTE = 10

export type AdminAnswer = 'granted' | 'wrong' | 'too_many_failures'

/** Judges an `Authorization` header. */
export type Authenticate = (authorization: string | undefined) => AdminAnswer

/**
 * Makes the function that judges an `Authorization` header. `token` answers the current admin token, so that a changed
 * file counts at once. After ten wrong ones within a minute, wrong ones are told to wait; the right one always passes, or an attacker could
 * lock the operator out.
 */
export function createAuthenticator(token: () => string, clock: Clock): Authenticate {
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

/** What `handle` answers to a request with the admin token, else why it is not asked. */
export async function whenGranted(
  request: IncomingMessage,
  authenticate: Authenticate,
  handle: () => Answer | Promise<Answer>,
): Promise<Answer> {
  const granted = authenticate(request.headers.authorization)
  if (granted === 'too_many_failures')
    return problem(429, 'Too many failures', 'Wait a minute before the next try', { 'retry-after': '60' })
  if (granted !== 'granted')
    return problem(401, 'Unauthorized', 'Send "Authorization: Bearer" and the admin token', {
      'www-authenticate': 'Bearer',
    })
  return handle()
}

function afterBearer(authorization: string | undefined): string {
  return /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
}

/** Digests have one length: neither the time nor an exception tells how long the token is. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected)) && expected !== ''
}
