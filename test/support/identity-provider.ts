// A real OpenID provider on this machine, with the token exchange of RFC 8693 and refresh tokens that are rotated, for one
// client.
import { createServer, type ServerResponse } from 'node:http'
import { jwtVerify } from 'jose'
// @ts-expect-error It comes without types
import Provider, { errors } from 'oidc-provider'
import { listen } from './listen.ts'
import { goodClaims, makeKey, signToken, type TestKey } from './tokens.ts'

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const RESOURCE = 'urn:orders'

export const CLIENT_ID = 'side:gate'
/** The same client where it proves itself in another way. */
export const POST_CLIENT_ID = 'side:gate:post'
export const KEY_CLIENT_ID = 'side:gate:key'
export const CLIENT_SECRET = 'a secret with spaces, + and % of the client'

const resourceServer = {
  scope: 'read write',
  audience: 'orders',
  accessTokenFormat: 'jwt',
  jwt: { sign: { alg: 'ES256' } },
}

export interface IdentityProvider {
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly key: TestKey
  /** The key of the client that proves itself by `private_key_jwt`. */
  readonly clientKey: TestKey
  /** The parameters of every exchange that was asked for. */
  readonly exchanges: readonly Record<string, string>[]
  /** Every use of a refresh token, with the error that answered it. */
  readonly refreshes: readonly { readonly refreshToken: string; readonly error: string | undefined }[]
  /** How long the access tokens live that a refresh token brings. */
  accessTokenSeconds: number
  /** Asked before each request to the token endpoint: false where it has answered, or never will. */
  onTokenRequest: (response: ServerResponse) => boolean | Promise<boolean>
  /** A token of a person who logged in here; times are relative to now. */
  mint(claims?: Record<string, unknown>): string
  /** The refresh token of a person who logged in here. */
  issueRefreshToken(accountId?: string): Promise<string>
  /** Ends every session of a person. */
  endSessions(accountId: string): Promise<void>
  close(): Promise<void>
}

/** Starts it on a free port. */
export async function startIdentityProvider(): Promise<IdentityProvider> {
  const server = createServer()
  const issuer = `http://127.0.0.1:${await listen(server)}`
  const key = makeKey('ES256', 'provider-key')
  const clientKey = makeKey('ES256', 'client-key')
  const clientJwk = { ...clientKey.publicKey.export({ format: 'jwk' }), kid: clientKey.keyId, use: 'sig', alg: 'ES256' }
  const exchanges: Record<string, string>[] = []
  const refreshes: { refreshToken: string; error: string | undefined }[] = []
  const grants: Untyped[] = []
  const provider = new Provider(issuer, {
    clients: [
      client(CLIENT_ID, { client_secret: CLIENT_SECRET, token_endpoint_auth_method: 'client_secret_basic' }),
      client(POST_CLIENT_ID, { client_secret: CLIENT_SECRET, token_endpoint_auth_method: 'client_secret_post' }),
      client(KEY_CLIENT_ID, { jwks: { keys: [clientJwk] }, token_endpoint_auth_method: 'private_key_jwt' }),
    ],
    jwks: { keys: [{ ...key.privateKey.export({ format: 'jwk' }), kid: key.keyId, use: 'sig', alg: 'ES256' }] },
    scopes: ['openid', 'offline_access', 'read', 'write'],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: ['test'] },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: () => resourceServer,
      },
    },
    findAccount: (_: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId }) }),
    rotateRefreshToken: true,
    ttl: { AccessToken: () => identityProvider.accessTokenSeconds, Grant: 3600, RefreshToken: 3600, IdToken: 300 },
    extraTokenClaims: (ctx: { carried?: Record<string, unknown> }) => ctx.carried,
  })
  provider.registerGrantType(TOKEN_EXCHANGE, exchangeWith(provider, issuer, key, exchanges), [
    ...['subject_token', 'subject_token_type', 'requested_token_type', 'scope'],
  ])
  const noteRefresh = (ctx: Untyped, error: Error | undefined) => {
    const { refresh_token: refreshToken } = ctx.oidc.params ?? {}
    if (refreshToken !== undefined) refreshes.push({ refreshToken, error: error?.message })
  }
  provider.on('grant.success', (ctx: Untyped) => noteRefresh(ctx, undefined))
  provider.on('grant.error', noteRefresh)
  const answer = provider.callback()
  server.on('request', async (request, response) => {
    if (request.url === '/token' && !(await identityProvider.onTokenRequest(response))) return
    answer(request, response)
  })
  const identityProvider: IdentityProvider = {
    issuer,
    tokenEndpoint: `${issuer}/token`,
    key,
    clientKey,
    exchanges,
    refreshes,
    accessTokenSeconds: 300,
    onTokenRequest: () => true,
    mint: (claims = {}) => {
      const nowSeconds = Math.floor(Date.now() / 1000)
      return signToken(key, goodClaims({ iss: issuer, scope: 'read', ...claims }, nowSeconds))
    },
    issueRefreshToken: async (accountId = 'alice') => {
      const grant = new provider.Grant({ accountId, clientId: CLIENT_ID })
      grant.addOIDCScope('openid offline_access')
      grant.addResourceScope(RESOURCE, 'read')
      grants.push(grant)
      return new provider.RefreshToken({
        ...{ accountId, grantId: await grant.save(), client: await provider.Client.find(CLIENT_ID) },
        ...{ gty: 'authorization_code', resource: RESOURCE, rotations: 0, scope: 'openid offline_access read' },
      }).save()
    },
    endSessions: async (accountId) => {
      for (const grant of grants) if (grant.accountId === accountId) await grant.destroy()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return identityProvider
}

function client(clientId: string, authentication: Record<string, unknown>): Record<string, unknown> {
  return {
    client_id: clientId,
    grant_types: [TOKEN_EXCHANGE, 'authorization_code', 'refresh_token'],
    redirect_uris: ['https://app.example.com/callback'],
    response_types: ['code'],
    ...authentication,
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
      resourceServer: new provider.ResourceServer(RESOURCE, resourceServer),
    })
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: 300,
    }
  }
}
