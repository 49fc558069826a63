// A real OpenID provider whose signing key changes while it runs, as a deployment of it would: the same issuer, another key set.
import { createServer, type RequestListener } from 'node:http'
// @ts-expect-error It comes without types
import Provider from 'oidc-provider'
import { listen } from './listen.ts'
import { makeKey, type TestKey } from './tokens.ts'

const RESOURCE = 'urn:orders'

export interface RotatingProvider {
  readonly issuer: string
  /** The paths that were asked for. */
  readonly asked: string[]
  /** Publishes these keys, and signs with the first of them from now on. */
  publish(...keys: TestKey[]): void
  /** An access token (RFC 9068) that the provider signed. */
  issue(): Promise<string>
  close(): Promise<void>
}

/** Starts it on a free port, with one key for this algorithm. */
export async function startRotatingProvider(algorithm: string, first = makeKey(algorithm)): Promise<RotatingProvider> {
  let answer: RequestListener = () => {}
  const asked: string[] = []
  const server = createServer((req, res) => {
    asked.push(req.url ?? '')
    answer(req, res)
  })
  const issuer = `http://127.0.0.1:${await listen(server)}`
  // biome-ignore lint/suspicious/noExplicitAny: the library has no types
  let provider: any
  const rotating: RotatingProvider = {
    issuer,
    asked,
    publish: (...keys) => {
      provider = new Provider(issuer, {
        clients: [
          {
            ...{ client_id: 'shop', client_secret: 'secret', redirect_uris: ['https://app.example.com/callback'] },
            ...{ grant_types: ['authorization_code'], response_types: ['code'] },
          },
        ],
        clientDefaults: { id_token_signed_response_alg: algorithm },
        cookies: { keys: ['test'] },
        jwks: { keys: keys.map(({ privateKey, keyId }) => ({ ...privateKey.export({ format: 'jwk' }), kid: keyId })) },
        features: { devInteractions: { enabled: false } },
      })
      answer = provider.callback()
    },
    issue: async () => {
      const resource = {
        scope: 'read',
        audience: 'orders',
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: algorithm } },
      }
      return await new provider.AccessToken({
        ...{ client: await provider.Client.find('shop'), accountId: 'alice', scope: 'read', expiresIn: 300 },
        resourceServer: new provider.ResourceServer(RESOURCE, resource),
      }).save()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  rotating.publish(first)
  return rotating
}
