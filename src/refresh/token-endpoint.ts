// How is a token exchanged at the identity provider (RFC 8693)? One bounded request, no redirects: a redirect would carry the
// token and our secret to somewhere else. No message holds a token, a secret or a word of the answer.
import {
  allowInsecureRequests,
  ClientSecretBasic,
  customFetch,
  genericTokenEndpointRequest,
  processGenericTokenEndpointResponse,
  ResponseBodyError,
  type TokenEndpointResponse,
} from 'oauth4webapi'

const MAXIMUM_BYTES = 64 * 1024
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'
/** Errors that say something about us or the provider, and nothing about the token (RFC 6749 section 5.2). */
const ABOUT_THE_PROVIDER: ReadonlySet<string> = new Set([
  ...['invalid_client', 'unauthorized_client', 'unsupported_grant_type'],
  ...['temporarily_unavailable', 'server_error', 'slow_down'],
])
const ABOUT_THE_TOKEN: ReadonlySet<number> = new Set([400, 403, 413, 422])

type Fetch = typeof globalThis.fetch

export interface TokenEndpointParts {
  /** https, or http inside the machine or cluster: the settings have seen to that. */
  readonly tokenEndpoint: string
  readonly clientId: string
  readonly clientSecret: string
  /** When an answer counts as none, in milliseconds. */
  readonly deadlineMs: number
  readonly fetch: Fetch
}

/**
 * Answers the token that the provider issues for this one, unjudged. Throws `ExchangeError`. `scope` is what the
 * new token may have at most, as the old one spells it.
 */
export type AskProvider = (subjectToken: string, scope: string | undefined) => Promise<string>

/** Why there is no new token, for the operator; and whether to spare the provider, or this one token alone. */
export class ExchangeError extends Error {
  override name = 'ExchangeError' as const
  readonly concerns: 'provider' | 'token'

  constructor(concerns: 'provider' | 'token', reason: string) {
    super(`Cannot exchange a token: ${reason}`)
    this.concerns = concerns
  }
}

/** Makes the function that asks a token endpoint, with `client_secret_basic` (RFC 6749 section 2.3.1). */
export function createTokenEndpoint(parts: TokenEndpointParts): AskProvider {
  const { tokenEndpoint, deadlineMs } = parts
  const server = { issuer: new URL(tokenEndpoint).origin, token_endpoint: tokenEndpoint }
  const client = { client_id: parts.clientId }
  const authentication = ClientSecretBasic(parts.clientSecret)
  const options = {
    [allowInsecureRequests]: new URL(tokenEndpoint).protocol === 'http:',
    [customFetch]: (url: string, init: RequestInit) => fetchBounded(parts.fetch, url, init),
  }

  return async (subjectToken, scope) => {
    const parameters = {
      subject_token: subjectToken,
      subject_token_type: ACCESS_TOKEN,
      requested_token_type: ACCESS_TOKEN,
      ...(scope === undefined ? {} : { scope }),
    }
    let response: Response
    try {
      const signal = AbortSignal.timeout(deadlineMs)
      response = await genericTokenEndpointRequest(server, client, authentication, TOKEN_EXCHANGE, parameters, {
        ...options,
        signal,
      })
    } catch (error) {
      throw new ExchangeError('provider', causeOf(error, deadlineMs))
    }
    try {
      return issuedToken(await processGenericTokenEndpointResponse(server, client, response))
    } catch (error) {
      throw error instanceof ExchangeError ? error : explain(error, response.status)
    }
  }
}

/** RFC 8693 section 2.2.1: an ID token or a refresh token would come in `access_token` as well. */
function issuedToken({ access_token: token, issued_token_type: type }: TokenEndpointResponse): string {
  if (type !== undefined && type !== ACCESS_TOKEN && type !== JWT)
    throw new ExchangeError('token', 'the provider issued a token of another type')
  return token
}

/** Reads the whole answer, bounded, and hands on nothing else of it than the library needs. */
async function fetchBounded(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: 'manual' })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MAXIMUM_BYTES) throw new Error(`the answer is larger than ${MAXIMUM_BYTES} bytes`)
    chunks.push(chunk)
  }
  const type = response.headers.get('content-type')
  return new Response(bytes === 0 ? null : Buffer.concat(chunks), {
    status: response.status,
    headers: type === null ? {} : { 'content-type': type },
  })
}

function explain(error: unknown, status: number): ExchangeError {
  if (error instanceof ResponseBodyError) {
    const code = /^[a-z_]{1,40}$/.test(error.error) ? error.error : 'an error of its own'
    const isAboutToken = ABOUT_THE_TOKEN.has(status) && !ABOUT_THE_PROVIDER.has(code)
    return new ExchangeError(isAboutToken ? 'token' : 'provider', `the provider answers ${status} "${code}"`)
  }
  if (status !== 200)
    return new ExchangeError(ABOUT_THE_TOKEN.has(status) ? 'token' : 'provider', `status is ${status}`)
  return new ExchangeError('provider', 'the answer is not a token response (RFC 6749 section 5.1)')
}

/** What really went wrong: fetch hides it behind "fetch failed". */
function causeOf(error: unknown, deadlineMs: number): string {
  if (!(error instanceof Error)) return 'the request failed'
  if (error.name === 'TimeoutError') return `no answer within ${deadlineMs / 1000} s`
  return error.cause instanceof Error ? error.cause.message || error.cause.name : error.message
}
