// How the gate proves to the token endpoint that it is the client of the settings: with a secret (RFC 6749 section 2.3.1) or
// with a signed assertion (RFC 7523 section 2.2). Never both: a provider refuses a request with two proofs.
import { randomUUID } from 'node:crypto'
import { type ClientAuth, ClientSecretBasic, ClientSecretPost } from 'oauth4webapi'
import type { Clock } from '../../model/clock.ts'

const ASSERTION_SECONDS = 60
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** What the client proves itself with. */
export type ClientCredentials =
  | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly secret: string }
  | {
      readonly method: 'private_key_jwt'
      /** Whom the assertion is for, as the provider wants to be called. */
      readonly audience: string
      readonly sign: (claims: Readonly<Record<string, unknown>>) => Promise<string>
      readonly clock: Clock
    }

/** Makes the function that adds the proof to a request. */
export function authenticateBy(credentials: ClientCredentials): ClientAuth {
  if (credentials.method !== 'private_key_jwt') {
    const bySecret = credentials.method === 'client_secret_post' ? ClientSecretPost : ClientSecretBasic
    return bySecret(credentials.secret)
  }
  const { audience, sign, clock } = credentials
  return async (_server, { client_id: clientId }, body) => {
    const nowSeconds = Math.floor(clock() / 1000)
    const times = { iat: nowSeconds, exp: nowSeconds + ASSERTION_SECONDS }
    // A new "jti" each time: providers refuse an assertion that they have seen before.
    const assertion = await sign({ iss: clientId, sub: clientId, aud: audience, jti: randomUUID(), ...times })
    body.set('client_id', clientId)
    body.set('client_assertion_type', JWT_BEARER)
    body.set('client_assertion', assertion)
  }
}
