// Asks the identity provider for the next token: for the one before (RFC 8693), or for a refresh token (RFC 6749 section 6).
// One bounded request, no redirects: a redirect would carry the token and our secret to somewhere else.

import type { Clock } from '../../model/clock.ts'
import { causeOf, type Fetch, fetchBounded, TooLargeError } from '../../outbound-http/fetch.ts'
import { authenticateBy, type ClientCredentials } from './client-authentication.ts'
import { ExchangeError } from './exchange-error.ts'
import { readTokenAnswer, type TokenAnswer, type WholeAnswer } from './token-response.ts'

const MAXIMUM_BYTES = 64 * 1024
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const REFRESH = 'refresh_token'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const FORM = 'application/x-www-form-urlencoded;charset=UTF-8'

export interface TokenEndpointParts {
  /** https, or http inside the machine or cluster: the settings have seen to that. */
  readonly tokenEndpoint: string
  readonly clientId: string
  readonly credentials: ClientCredentials
  /** When an answer counts as none, in milliseconds. */
  readonly deadlineMs: number
  readonly fetch: Fetch
  readonly clock: Clock
}

/** What a refresh token brings: the next token, unjudged, and the refresh token that belongs to it. */
export interface Refreshed {
  /** Nothing where the provider answered with a refresh token alone. */
  readonly token: string | undefined
  /** A new one, or the same where the provider does not rotate them. */
  readonly refreshToken: string
}

/** Asks the provider. `scope` is what the new token may have at most, as the old one spells it. Throws `ExchangeError`. */
export interface TokenEndpoint {
  /** Answers the token that the provider issues for this one, unjudged. */
  exchange(subjectToken: string, scope: string | undefined): Promise<string>
  /** The deadline is `deadlineMs` where no other one is given. */
  refresh(refreshToken: string, scope: string | undefined, deadlineMs?: number): Promise<Refreshed>
}

/** Makes what asks a token endpoint. */
export function createTokenEndpoint(parts: TokenEndpointParts): TokenEndpoint {
  const { tokenEndpoint, clientId, credentials, clock } = parts
  const authenticate = authenticateBy(credentials)
  const server = { issuer: new URL(tokenEndpoint).origin }
  const client = { client_id: clientId }

  async function ask(
    parameters: Readonly<Record<string, string>>,
    scope: string | undefined,
    given: string,
    deadlineMs = parts.deadlineMs,
  ): Promise<TokenAnswer> {
    const form = new URLSearchParams({ ...parameters, ...(scope === undefined ? {} : { scope }) })
    const headers = new Headers({ accept: 'application/json', 'content-type': FORM })
    await authenticate(server, client, form, headers)
    const answer = await post(parts.fetch, tokenEndpoint, headers, form.toString(), deadlineMs)
    const secrets = 'secret' in credentials ? [given, credentials.secret] : [given]
    return readTokenAnswer(answer, secrets, clock)
  }

  return {
    exchange: async (subjectToken, scope) => {
      const types = { subject_token_type: ACCESS_TOKEN, requested_token_type: ACCESS_TOKEN }
      const parameters = { grant_type: TOKEN_EXCHANGE, subject_token: subjectToken, ...types }
      return issuedToken(await ask(parameters, scope, subjectToken))
    },
    refresh: async (refreshToken, scope, deadlineMs) => {
      const parameters = { grant_type: REFRESH, refresh_token: refreshToken }
      const { accessToken, refreshToken: rotated } = await ask(parameters, scope, refreshToken, deadlineMs)
      return { token: accessToken, refreshToken: rotated ?? refreshToken }
    },
  }
}

/** RFC 8693 section 2.2.1: an ID token or a refresh token would come in `access_token` as well. */
function issuedToken({ accessToken, issuedTokenType: type }: TokenAnswer): string {
  if (accessToken === undefined) throw new ExchangeError('token', 'the answer holds no access token')
  if (type !== undefined && type !== ACCESS_TOKEN && type !== JWT)
    throw new ExchangeError('token', 'the provider issued a token of another type')
  return accessToken
}

/** Sends the form, and tells of a failure whether the provider may have got it. */
async function post(
  fetch: Fetch,
  url: string,
  headers: Headers,
  form: string,
  timeoutMs: number,
): Promise<WholeAnswer> {
  let retryAfter: string | null = null
  const listeningFetch: Fetch = async (...request) => {
    const response = await fetch(...request)
    retryAfter = response.headers.get('retry-after')
    return response
  }
  const { body: sentBody, wasTaken } = watchedBody(form)
  const request = { method: 'POST', headers, body: sentBody, redirect: 'manual' } as const
  try {
    const { status, body } = await fetchBounded(listeningFetch, url, request, {
      timeoutMs,
      maximumBytes: MAXIMUM_BYTES,
    })
    return { status, body, retryAfter }
  } catch (error) {
    const concerns = error instanceof TooLargeError ? 'token' : 'provider'
    throw new ExchangeError(concerns, causeOf(error, { timeoutMs }), { isInDoubt: wasTaken() })
  }
}

/**
 * A body that knows whether it was taken to be sent. `fetch` reads it once a connection stands: what waited in vain for one, or
 * for a server that cannot be reached, never left this machine.
 */
function watchedBody(form: string): { readonly body: Blob; readonly wasTaken: () => boolean } {
  const bytes = new TextEncoder().encode(form)
  let isTaken = false
  // Of type "bytes": fetch makes two streams of one, and those of another type read ahead.
  const stream = () =>
    new ReadableStream({
      type: 'bytes',
      pull: (controller) => {
        isTaken = true
        controller.enqueue(bytes.slice())
        controller.close()
      },
    })
  // A blob and no bare stream: its length is known, and not every token endpoint takes a body in chunks.
  return { body: Object.assign(new Blob([bytes]), { stream }), wasTaken: () => isTaken }
}
