// Tokens of one issuer that were made for another purpose than to call an API.
import { describe, expect, it } from 'vitest'
import type { Claims } from '../../src/model/decision.ts'
import { otherPurpose } from '../../src/token/token-types.ts'

const claims = (more: Record<string, unknown> = {}) => ({ iss: 'i', exp: 1, ...more }) as Claims
const policy = { tokenTypes: undefined, allowIdTokens: false }
const judge = (typ: string | undefined, more = {}, settings = {}) =>
  otherPurpose(typ, claims(more), { ...policy, ...settings })

describe('an access token', () => {
  it.each([undefined, 'JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/AT+JWT'])(
    'with the type %s is taken',
    (type) => expect(judge(type)).toBeUndefined(),
  )

  it('of Keycloak says Bearer in its claims, one of Cognito "access"', () => {
    expect(judge('JWT', { typ: 'Bearer' })).toBeUndefined()
    expect(judge('JWT', { token_use: 'access' })).toBeUndefined()
  })

  it('with types in the settings has one of those, and no other', () => {
    const settings = { tokenTypes: ['x+jwt'] }
    expect(judge('application/X+jwt', {}, settings)).toBeUndefined()
    for (const type of [undefined, 'JWT', 'at+jwt'])
      expect(judge(type, {}, settings)).toContain('must be one of: x+jwt')
  })
})

describe('a token for another purpose is refused:', () => {
  it.each([
    ...['logout+jwt', 'secevent+jwt', 'dpop+jwt', 'oauth-authz-req+jwt', 'token-introspection+jwt'],
    ...['client-authentication+jwt', 'vc+sd-jwt', 'dc+sd-jwt', 'kb+jwt', 'id_token+jwt', 'JOSE', 'application/jwt', ''],
    ...['openid4vci-proof+jwt', 'entity-statement+jwt', 'trust-mark+jwt', 'jarm+jwt', 'example'],
  ])('typ "%s"', (type) => {
    expect(judge(type)).toContain('tokenTypes')
  })

  it.each([
    ['a refresh token of Keycloak', { typ: 'Refresh' }],
    ['an offline token of Keycloak', { typ: 'Offline' }],
    ['a log-out token of Keycloak', { typ: 'Logout' }],
    ['a log-out token of OpenID Connect', { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }],
    // holds: tokens-made-for-another-purpose
    ['an event of Shared Signals', { events: {}, sub_id: {} }],
  ])('%s, whatever the settings allow', (_what, more) => {
    for (const settings of [{}, { tokenTypes: ['JWT'] }, { allowIdTokens: true }])
      expect(judge('JWT', more, settings)).toBeDefined()
  })

  it.each([
    ['of Keycloak', { typ: 'ID' }],
    ['of Cognito', { token_use: 'id' }],
  ])('an ID token %s, unless the settings allow it', (_whose, more) => {
    expect(judge('JWT', more)).toContain('"issuers[].allowIdTokens"')
    expect(judge('JWT', more, { allowIdTokens: true })).toBeUndefined()
  })
})
