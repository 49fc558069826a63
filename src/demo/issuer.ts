// The issuer of the demo: real keys, a key set over HTTP, and tokens for each story.
import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { createPrivateKeySigner, generateKey, type Signer } from '../token/signing/mint.ts'

const ALGORITHM = 'ES256'
/** Who signs in on the page: somebody whom the curl lines do not know, so that they do not end with them. */
const VISITOR = 'robin'
export const DEMO_AUDIENCE = 'demo-app'
/** So short that one can watch a token grow old. */
export const DEMO_LIFETIME_SECONDS = 30
export const DEMO_WINDOW_SECONDS = 10

/** The tokens of the demo, by the name of the file that holds each. */
export type DemoTokens = Readonly<Record<'alice' | 'stolen' | 'expiring' | 'expired' | 'forged', string>>

export interface DemoIssuer {
  readonly server: Server
  /** New tokens, all of this moment. */
  tokens(issuer: string, nowSeconds: number): Promise<DemoTokens>
  /** A token that begins a session of the page's visitor. */
  visitorToken(issuer: string, nowSeconds: number): Promise<string>
}

export async function createDemoIssuer(): Promise<DemoIssuer> {
  const key = await generateKey(ALGORITHM)
  const signer = createPrivateKeySigner(key.privatePem, ALGORITHM, key.keyId)
  // The same key id, another key: what somebody would try who has no access to the issuer's.
  const forger = createPrivateKeySigner((await generateKey(ALGORITHM)).privatePem, ALGORITHM, key.keyId)
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/jwk-set+json' })
    response.end(key.publicJwks)
  })
  return {
    server,
    tokens: async (issuer, nowSeconds) => {
      const sign = (by: Signer, issuedAt: number, expiresAt: number, subject: string, more: object = {}) =>
        by.sign(claims(issuer, issuedAt, expiresAt, subject, more), 'JWT')
      return {
        alice: await sign(signer, nowSeconds, nowSeconds + 3600, 'alice'),
        stolen: await sign(signer, nowSeconds, nowSeconds + 3600, 'bob', { sid: 'stolen-session' }),
        expiring: await sign(signer, nowSeconds - 21, nowSeconds + DEMO_WINDOW_SECONDS - 1, 'carol'),
        expired: await sign(signer, nowSeconds - 3600, nowSeconds - 60, 'dave'),
        forged: await sign(forger, nowSeconds, nowSeconds + 3600, 'mallory'),
      }
    },
    visitorToken: (issuer, nowSeconds) => {
      const session = { sid: randomUUID(), jti: randomUUID(), auth_time: nowSeconds }
      return signer.sign(claims(issuer, nowSeconds, nowSeconds + DEMO_LIFETIME_SECONDS, VISITOR, session), 'JWT')
    },
  }
}

function claims(issuer: string, issuedAt: number, expiresAt: number, subject: string, more: object) {
  return {
    iss: issuer,
    aud: DEMO_AUDIENCE,
    sub: subject,
    iat: issuedAt,
    exp: expiresAt,
    jti: `${subject}-${issuedAt}`,
    scope: 'read',
    ...more,
  }
}
