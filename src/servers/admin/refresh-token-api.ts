// The door through which the login app hands in a refresh token for an access token that it just got. Only with the admin token,
// and only for an access token that the gate admits; no answer, no log line and no audit holds either of them.

import { type Answer, json, problem } from '../../http/answer.ts'
import { readBody } from '../../http/body.ts'
import { peerAddress } from '../../model/peer-address.ts'
import { isKeepable, MAXIMUM_REFRESH_TOKEN_BYTES } from '../../model/refresh-token.ts'
import { type Refusal, statusOf } from '../../model/refusal.ts'
import { type Authenticate, whenGranted } from './authenticate.ts'
import type { AdminRequest } from './request.ts'

const PATH = '/refresh-tokens'
const MAXIMUM_BYTES = 32 * 1024
/** RFC 6749 appendix A.17: the characters of a refresh token. */
const REFRESH_TOKEN = /^[\x20-\x7e]+$/
const EXPECTED = 'Send { "token": "<access token>", "refreshToken": "<refresh token>" } as JSON'
const TOO_LONG = `A refresh token may have ${MAXIMUM_REFRESH_TOKEN_BYTES} bytes; gates keep none that is longer`

export interface RefreshTokenApiParts {
  /** Judges the `Authorization` header. */
  readonly authenticate: Authenticate
  /**
   * Keeps a refresh token for an access token, or answers why the gate would refuse that one; rejects where that is not
   * certain. Answers nothing where the settings ask for no refresh tokens.
   */
  readonly keep: () => ((accessToken: string, refreshToken: string) => Promise<Refusal | undefined>) | undefined
  /** The audit: who handed one in. */
  readonly audit: (actor: string) => void
}

/** Makes the function that answers requests for this path, or nothing for all others. */
export function createRefreshTokenApi(
  parts: RefreshTokenApiParts,
): (request: AdminRequest, url: URL) => Promise<Answer | undefined> {
  return async (request, url) => {
    const keep = parts.keep()
    if (url.pathname !== PATH || keep === undefined) return undefined
    return whenGranted(request, parts.authenticate, async () => {
      if (request.method !== 'POST') return problem(405, 'Method not allowed', 'Use POST', { allow: 'POST' })
      const body = await readBody(request, MAXIMUM_BYTES)
      if (body === undefined) return problem(413, 'Content too large', `The body may have ${MAXIMUM_BYTES} bytes`)
      const pair = readPair(body)
      if (pair === undefined) return problem(400, 'Bad request', EXPECTED)
      if (!isKeepable(pair.refreshToken)) return problem(400, 'Bad request', TOO_LONG)
      const answer = await keepPair(pair, keep)
      if (answer.status === 204) parts.audit(`admin API, ${peerAddress(request.socket.remoteAddress)}`)
      return answer
    })
  }
}

interface Pair {
  readonly token: string
  readonly refreshToken: string
}

async function keepPair(
  { token, refreshToken }: Pair,
  keep: NonNullable<ReturnType<RefreshTokenApiParts['keep']>>,
): Promise<Answer> {
  try {
    const refusal = await keep(token, refreshToken)
    if (refusal === undefined) return { ...json(204, {}), body: '' }
    const isOurTrouble = statusOf(refusal) >= 500
    const detail = `The gate refuses the token: ${refusal.reason}`
    return isOurTrouble
      ? problem(503, 'Not kept', detail, { 'retry-after': '1' })
      : problem(422, 'Token refused', detail)
  } catch {
    return problem(503, 'Not kept', 'Redis did not take the refresh token', { 'retry-after': '1' })
  }
}

/** Both members as text, and no other. */
function readPair(body: string): Pair | undefined {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { token, refreshToken, ...more } = value as Record<string, unknown>
  if (typeof token !== 'string' || typeof refreshToken !== 'string' || Object.keys(more).length > 0) return undefined
  if (!REFRESH_TOKEN.test(refreshToken)) return undefined
  return { token, refreshToken }
}
