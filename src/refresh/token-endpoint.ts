// How does the identity provider issue the next token: for the one before (RFC 8693), or for a refresh token (RFC 6749
// section 6)? One bounded request, no redirects: a redirect would carry the token and our secret to somewhere else. No message
// holds a token, a secret or a word of the answer.
import {
  allowInsecureRequests,
  ClientSecretBasic,
  customFetch,
  genericTokenEndpointRequest,
  processGenericTokenEndpointResponse,
  ResponseBodyError,
  type TokenEndpointResponse,
} from 'oauth4webapi'
import { type Fetch, fetchBounded } from '../model/bounded-fetch.ts'

const MAXIMUM_BYTES = 64 * 1024
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const REFRESH = 'refresh_token'
/** RFC 6749 section 5.2: what we ask with is invalid, expired, revoked or somebody else's. Asking again changes nothing. */
const SESSION_IS_OVER = 'invalid_grant'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'
/** Errors that say something about us or the provider, and nothing about the token (RFC 6749 section 5.2). */
const ABOUT_THE_PROVIDER: ReadonlySet<string> = new Set([
  ...['invalid_client', 'unauthorized_client', 'unsupported_grant_type'],
  ...['temporarily_unavailable', 'server_error', 'slow_down'],
])
const ABOUT_THE_TOKEN: ReadonlySet<number> = new Set([400, 403, 413, 422])

export interface TokenEndpointParts {
  /** https, or http inside the machine or cluster: the settings have seen to that. */
  readonly tokenEndpoint: string
  readonly clientId: string
  readonly clientSecret: string
  /** When an answer counts as none, in milliseconds. */
  readonly deadlineMs: number
  readonly fetch: Fetch
}

/** What a refresh token brings: the next token, unjudged, and the refresh token that belongs to it. */
export interface Refreshed {
  readonly token: string
  /** A new one, or the same where the provider does not rotate them. */
  readonly refreshToken: string
}

/** Asks the provider. `scope` is what the new token may have at most, as the old one spells it. Throws `ExchangeError`. */
export interface TokenEndpoint {
  /** Answers the token that the provider issues for this one, unjudged. */
  exchange(subjectToken: string, scope: string | undefined): Promise<string>
  refresh(refreshToken: string, scope: string | undefined): Promise<Refreshed>
}

/** What a failure says something about: whom to spare, the provider or this one token, or whose session has ended. */
export type Concern = 'provider' | 'token' | 'session'

/** Why there is no new token, for the operator. */
export class ExchangeError extends Error {
  override name = 'ExchangeError' as const
  readonly concerns: Concern

  constructor(concerns: Concern, reason: string) {
    super(`Cannot exchange a token: ${reason}`)
    this.concerns = concerns
  }
}

/** Makes what asks a token endpoint, with `client_secret_basic` (RFC 6749 section 2.3.1). */
export function createTokenEndpoint(parts: TokenEndpointParts): TokenEndpoint {
  const { tokenEndpoint, deadlineMs } = parts
  const server = { issuer: new URL(tokenEndpoint).origin, token_endpoint: tokenEndpoint }
  const client = { client_id: parts.clientId }
  const authentication = ClientSecretBasic(parts.clientSecret)
  const options = {
    [allowInsecureRequests]: new URL(tokenEndpoint).protocol === 'http:',
    [customFetch]: (url: string, init: RequestInit) => fetchAnswer(parts.fetch, url, init, deadlineMs),
  }

  async function ask(grant: string, parameters: Record<string, string>): Promise<TokenEndpointResponse> {
    let response: Response
    try {
      response = await genericTokenEndpointRequest(server, client, authentication, grant, parameters, options)
    } catch (error) {
      throw new ExchangeError('provider', causeOf(error, deadlineMs))
    }
    try {
      return await processGenericTokenEndpointResponse(server, client, response)
    } catch (error) {
      throw explain(error, response.status)
    }
  }

  return {
    exchange: async (subjectToken, scope) =>
      issuedToken(
        await ask(TOKEN_EXCHANGE, {
          subject_token: subjectToken,
          subject_token_type: ACCESS_TOKEN,
          requested_token_type: ACCESS_TOKEN,
          ...(scope === undefined ? {} : { scope }),
        }),
      ),
    refresh: async (refreshToken, scope) => {
      const answer = await ask(REFRESH, { refresh_token: refreshToken, ...(scope === undefined ? {} : { scope }) })
      return { token: answer.access_token, refreshToken: answer.refresh_token ?? refreshToken }
    },
  }
}

/** RFC 8693 section 2.2.1: an ID token or a refresh token would come in `access_token` as well. */
function issuedToken({ access_token: token, issued_token_type: type }: TokenEndpointResponse): string {
  if (type !== undefined && type !== ACCESS_TOKEN && type !== JWT)
    throw new ExchangeError('token', 'the provider issued a token of another type')
  return token
}

/** Hands on nothing else of the answer than the library needs. */
async function fetchAnswer(fetch: Fetch, url: string, init: RequestInit, timeoutMs: number): Promise<Response> {
  const bounds = { timeoutMs, maximumBytes: MAXIMUM_BYTES }
  const { status, contentType, body } = await fetchBounded(fetch, url, { ...init, redirect: 'manual' }, bounds)
  return new Response(body.length === 0 ? null : withoutIdToken(body), {
    status,
    headers: contentType === null ? {} : { 'content-type': contentType },
  })
}

/** Nobody here reads an ID token, and the library would refuse the answer where it finds one of another issuer. */
function withoutIdToken(body: Buffer): Buffer | string {
  try {
    const answer: unknown = JSON.parse(body.toString('utf8'))
    if (typeof answer !== 'object' || answer === null || !('id_token' in answer)) return body
    return JSON.stringify({ ...answer, id_token: undefined })
  } catch {
    return body
  }
}

function explain(error: unknown, status: number): ExchangeError {
  if (error instanceof ResponseBodyError) {
    const code = /^[a-z_]{1,40}$/.test(error.error) ? error.error : 'an error of its own'
    const concerns = concernOf(code, status)
    const more = concerns === 'session' ? ': the session is over' : ''
    return new ExchangeError(concerns, `the provider answers ${status} "${code}"${more}`)
  }
  if (status !== 200)
    return new ExchangeError(ABOUT_THE_TOKEN.has(status) ? 'token' : 'provider', `status is ${status}`)
  return new ExchangeError('provider', 'the answer is not a token response (RFC 6749 section 5.1)')
}

function concernOf(code: string, status: number): Concern {
  if (!ABOUT_THE_TOKEN.has(status) || ABOUT_THE_PROVIDER.has(code)) return 'provider'
  return code === SESSION_IS_OVER ? 'session' : 'token'
}

/** What really went wrong: fetch hides it behind "fetch failed". */
function causeOf(error: unknown, deadlineMs: number): string {
  if (!(error instanceof Error)) return 'the request failed'
  if (error.name === 'TimeoutError') return `no answer within ${deadlineMs / 1000} s`
  return error.cause instanceof Error ? error.cause.message || error.cause.name : error.message
}
