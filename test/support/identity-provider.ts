// A real OpenID provider on this machine, with the token exchange of RFC 8693 for one client.
import { createServer } from 'node:http'
import { jwtVerify } from 'jose'
// @ts-expect-error It comes without types
import Provider, { errors } from 'oidc-provider'
import { listen } from './listen.ts'
import { goodClaims, makeKey, signToken, type TestKey } from './tokens.ts'

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

export const CLIENT_ID = 'side:gate'
export const CLIENT_SECRET = 'a secret with spaces, + and % of the client'

export interface IdentityProvider {
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly key: TestKey
  /** The parameters of every exchange that was asked for. */
  readonly exchanges: readonly Record<string, string>[]
  /** A token of a person who logged in here; times are relative to now. */
  mint(claims?: Record<string, unknown>): string
  close(): Promise<void>
}

/** Starts it on a free port. */
export async function startIdentityProvider(): Promise<IdentityProvider> {
  const server = createServer()
  const issuer = `http://127.0.0.1:${await listen(server)}`
  const key = makeKey('ES256', 'provider-key')
  const exchanges: Record<string, string>[] = []
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        grant_types: [TOKEN_EXCHANGE],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    jwks: { keys: [{ ...key.privateKey.export({ format: 'jwk' }), kid: key.keyId, use: 'sig', alg: 'ES256' }] },
    scopes: ['read', 'write'],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: ['test'] },
    features: { devInteractions: { enabled: false } },
    extraTokenClaims: (ctx: { carried?: Record<string, unknown> }) => ctx.carried,
  })
  provider.registerGrantType(TOKEN_EXCHANGE, exchangeWith(provider, issuer, key, exchanges), [
    ...['subject_token', 'subject_token_type', 'requested_token_type', 'scope'],
  ])
  server.on('request', provider.callback())
  return {
    issuer,
    tokenEndpoint: `${issuer}/token`,
    key,
    exchanges,
    mint: (claims = {}) => {
      const nowSeconds = Math.floor(Date.now() / 1000)
      return signToken(key, goodClaims({ iss: issuer, scope: 'read', ...claims }, nowSeconds))
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the library has no types
type Untyped = any

function exchangeWith(provider: Untyped, issuer: string, key: TestKey, exchanges: Record<string, string>[]) {
  return async (ctx: Untyped) => {
    const { params, client } = ctx.oidc
    exchanges.push({ ...params })
    const { payload } = await jwtVerify(params.subject_token, key.publicKey, { issuer }).catch(() => {
      throw new errors.InvalidGrant('the subject token is not valid')
    })
    ctx.carried = { sid: payload.sid, auth_time: payload.auth_time }
    const token = new provider.AccessToken({
      client,
      accountId: payload.sub,
      scope: params.scope,
      expiresIn: 300,
      resourceServer: new provider.ResourceServer('urn:orders', {
        audience: 'orders',
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    })
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: 300,
    }
  }
}
