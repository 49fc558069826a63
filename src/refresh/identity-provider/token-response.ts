// Reads what a token endpoint answers (RFC 6749 section 5): only the members that are used, whatever else is in it. A refresh
// token that is there is never lost for something else that is odd about the answer.
import { textIn } from '../../model/claim-text.ts'
import type { Clock } from '../../model/clock.ts'
import { type Concern, ExchangeError } from './exchange-error.ts'
import { providerWords } from './provider-words.ts'

/** RFC 6749 section 5.2: what we ask with is invalid, expired, revoked or somebody else's. Asking again changes nothing. */
const SESSION_IS_OVER = 'invalid_grant'
/** Errors that say something about us or the provider, and nothing about the token (RFC 6749 section 5.2). */
const ABOUT_THE_PROVIDER: ReadonlySet<string> = new Set([
  ...['invalid_client', 'unauthorized_client', 'unsupported_grant_type'],
  ...['temporarily_unavailable', 'server_error', 'slow_down'],
])
const ABOUT_THE_TOKEN: ReadonlySet<number> = new Set([400, 403, 413, 422])
/** A gateway in front of the provider says so: the provider itself may have done what it was asked. */
const FROM_A_GATEWAY: ReadonlySet<number> = new Set([502, 504])
const LONGEST_RETRY_AFTER_MS = 300_000

/** An answer, read to its end. */
export interface WholeAnswer {
  readonly status: number
  readonly body: Buffer
  readonly retryAfter: string | null
}

/** What a good answer holds. At least one of the tokens is there. */
export interface TokenAnswer {
  readonly accessToken: string | undefined
  readonly refreshToken: string | undefined
  readonly issuedTokenType: string | undefined
}

/** Reads an answer; `secrets` are what the provider was sent and may repeat. Throws `ExchangeError`. */
export function readTokenAnswer(answer: WholeAnswer, secrets: readonly string[], clock: Clock): TokenAnswer {
  const { status } = answer
  const members = membersOf(answer.body)
  const isGood = status >= 200 && status < 300
  if (isGood) {
    const [accessToken, refreshToken] = [textIn(members.access_token), textIn(members.refresh_token)]
    if (accessToken !== undefined || refreshToken !== undefined)
      return { accessToken, refreshToken, issuedTokenType: textIn(members.issued_token_type) }
  }
  const retryAfterMs = retryAfterOf(answer.retryAfter, clock)
  const error = textIn(members.error)
  if (error !== undefined) throw refusal(status, error, members.error_description, secrets, retryAfterMs)
  if (isGood) throw new ExchangeError('token', noTokenResponse(status), { isInDoubt: true })
  const concerns = ABOUT_THE_TOKEN.has(status) ? 'token' : 'provider'
  const words = providerWords(otherWords(members, answer.body), secrets)
  const reason = words === undefined ? `status is ${status}` : `status is ${status}, ${words}`
  throw new ExchangeError(concerns, reason, { retryAfterMs, isInDoubt: FROM_A_GATEWAY.has(status) })
}

function noTokenResponse(status: number): string {
  const what = 'the answer is not a token response (RFC 6749 section 5.1)'
  return status === 200 ? what : `status is ${status}, and ${what}`
}

function membersOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    // Drops a byte order mark, which JSON.parse would stumble over.
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** What an answer says that is no error of OAuth: a problem document, an error of some API, or plain text; no page. */
function otherWords({ error, ...members }: Readonly<Record<string, unknown>>, body: Buffer): unknown {
  const { message } = (typeof error === 'object' && error !== null ? error : {}) as { readonly message?: unknown }
  const told = [
    members.error_description,
    members.detail,
    members.message,
    message,
    members.errorSummary,
    members.title,
  ]
  return told.find((each) => textIn(each) !== undefined) ?? plainText(body)
}

function plainText(body: Buffer): string | undefined {
  const text = body.toString('utf8').trimStart()
  return /^[<{[]/.test(text) ? undefined : text
}

function refusal(
  status: number,
  code: string,
  description: unknown,
  secrets: readonly string[],
  retryAfterMs: number,
): ExchangeError {
  const concerns = concernOf(code, status)
  const words = [providerWords(code, secrets) ?? '"an error of its own"', providerWords(description, secrets)]
  const said = words.filter((each) => each !== undefined).join(', ')
  const more = concerns === 'session' ? ': the session is over' : ''
  return new ExchangeError(concerns, `the provider answers ${status} ${said}${more}`, { retryAfterMs })
}

function concernOf(code: string, status: number): Concern {
  if (code === SESSION_IS_OVER && status < 500 && status !== 429) return 'session'
  if ((status >= 300 && !ABOUT_THE_TOKEN.has(status)) || ABOUT_THE_PROVIDER.has(code)) return 'provider'
  return 'token'
}

/** RFC 9110 section 10.2.3: seconds or a date. Bounded, so that one answer cannot end the refresh for a day. */
function retryAfterOf(value: string | null, clock: Clock): number {
  if (value === null) return 0
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - clock()
  return Number.isNaN(waitMs) ? 0 : Math.min(Math.max(0, waitMs), LONGEST_RETRY_AFTER_MS)
}
