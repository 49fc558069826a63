// Does this request carry the admin token? Compares in constant time, and always: a brake on wrong tokens must not lock out the
// right one. A token that can be guessed opens nothing.
import { createHash, timingSafeEqual } from 'node:crypto'
import { type Answer, problem } from '../../http/answer.ts'
import { SHORTEST_TOKEN, whyUnusable } from '../../model/admin-token.ts'
import type { Clock } from '../../model/clock.ts'
import type { AdminRequest } from './request.ts'

const FAILURES_AT_ONCE = 10
const MS_FOR_EACH_FAILURE = 6_000
const COMPLAINT_EVERY_MS = 60_000

export type AdminAnswer = 'granted' | 'wrong' | 'too_many_failures' | 'no_token' | 'unusable_token'

/** Judges an `Authorization` header. */
export type Authenticate = (authorization: string | undefined) => AdminAnswer

export interface AuthenticatorParts {
  /** The admin token of this moment, so that a changed file counts at once; undefined: there is none. */
  readonly token: () => string | undefined
  readonly clock: Clock
  /** Told, at most once a minute, that a route was asked for which the token opens, and why it opens none. */
  readonly onUnusable: (why: string) => void
}

/**
 * Makes the function that judges an `Authorization` header. Ten wrong tokens are answered as wrong at once, and ten more a
 * minute; those beyond that have to wait. The right one always passes.
 */
export function createAuthenticator({ token, clock, onUnusable }: AuthenticatorParts): Authenticate {
  let failuresLeft = FAILURES_AT_ONCE
  let filledMs = clock()
  let complainedMs = Number.NEGATIVE_INFINITY

  function takeFailure(): boolean {
    const nowMs = clock()
    // A clock that was set back gives nothing
    const passedMs = Math.max(0, nowMs - filledMs)
    failuresLeft = Math.min(FAILURES_AT_ONCE, failuresLeft + passedMs / MS_FOR_EACH_FAILURE)
    filledMs = nowMs
    if (failuresLeft < 1) return false
    failuresLeft -= 1
    return true
  }

  function complain(why: string): void {
    const passedMs = Math.abs(clock() - complainedMs)
    if (passedMs < COMPLAINT_EVERY_MS) return
    complainedMs = clock()
    onUnusable(why)
  }

  return (authorization) => {
    const expected = token()
    if (expected === undefined) return 'no_token'
    const why = whyUnusable(expected)
    if (why !== undefined) {
      complain(why)
      return 'unusable_token'
    }
    if (isSame(afterBearer(authorization), expected)) return 'granted'
    return takeFailure() ? 'wrong' : 'too_many_failures'
  }
}

/** What `handle` answers to a request with the admin token, else why it is not asked. */
export async function whenGranted(
  request: AdminRequest,
  authenticate: Authenticate,
  handle: () => Answer | Promise<Answer>,
): Promise<Answer> {
  const granted = authenticate(request.headers.authorization)
  return granted === 'granted' ? handle() : refusals[granted]
}

const refusals: Readonly<Record<Exclude<AdminAnswer, 'granted'>, Answer>> = {
  no_token: problem(404, 'Not found', 'This needs an admin token: set "admin.tokenFile"'),
  unusable_token: problem(
    404,
    'Not found',
    `The token in "admin.tokenFile" cannot be used: write one of at least ${SHORTEST_TOKEN} characters`,
  ),
  // Each further guess costs a connection
  too_many_failures: problem(429, 'Too many failures', 'Wait a minute before the next try', {
    'retry-after': '60',
    connection: 'close',
  }),
  wrong: problem(401, 'Unauthorized', 'Send "Authorization: Bearer" and the admin token', {
    'www-authenticate': 'Bearer',
  }),
}

function afterBearer(authorization: string | undefined): string {
  return /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
}

/** Digests have one length: neither the time nor an exception tells how long the token is. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}
