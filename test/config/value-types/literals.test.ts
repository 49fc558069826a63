// Texts that are compared whole with what a token or a browser says: what can never be equal is refused, with what to write.
import { describe, expect, test } from 'vitest'
import { configOf, issuersLine, problemsOf, warningsOf } from '../../support/settings.ts'

const place = /^sidegate\.yaml:\d+:\d+ /
const refused = (line: string) => problemsOf(`${issuersLine}\n${line}`).map((text) => text.replace(place, ''))
const warned = (line: string) => warningsOf(`${issuersLine}\n${line}`).map((text) => text.replace(place, ''))
const issuer = (settings: string) => `issuers: [{ ${settings} }]`
const issuerTrouble = (settings: string) => problemsOf(issuer(settings)).map((text) => text.replace(place, ''))
const rest = 'audiences: [a], keys: { discovery: true }'
const whole = 'it is compared whole, and "*" stands for nothing'
const nested =
  'claims inside of claims cannot be named, have the identity provider put it into a claim at the top, such as "roles"'

describe('issuers', () => {
  test.each([
    [
      'https://login.microsoftonline.com/{tenantid}/v2.0',
      ': "{tenantid}" stands for nothing, give each tenant an entry of its own, with its id in that place',
    ],
    ['https://*.example.com', `: ${whole}, give each issuer an entry of its own`],
    [
      'https://login.microsoftonline.com/common/v2.0',
      ': no token has this issuer, put the id of the tenant in place of the word',
    ],
    [
      'https://id.example.com/.well-known/openid-configuration',
      ': that is where its metadata or its keys are, did you mean "https://id.example.com"',
    ],
    [
      'https://id.example.com/realms/a/protocol/openid-connect/certs',
      ': that is where its metadata or its keys are, did you mean "https://id.example.com/realms/a"',
    ],
  ])('%s', (name, line) => {
    expect(issuerTrouble(`issuer: '${name}', ${rest}`)).toEqual([
      `issuers[0].issuer: Expected the issuer as the claim "iss" spells it, got "${name}"${line}`,
    ])
  })

  test('blanks around it', () => {
    expect(issuerTrouble(`issuer: 'https://id.example.com ', ${rest}`)).toEqual([
      'issuers[0].issuer: Expected the issuer as the claim "iss" spells it without blanks around it, got "https://id.example.com ", did you mean "https://id.example.com"',
    ])
  })

  test.each([
    [
      "audiences: ['*']",
      `audiences[0]: Expected an audience, got "*": ${whole}, name the audience that the tokens for this service carry`,
    ],
    ["audiences: [' a']", 'audiences[0]: Expected an audience without blanks around it, got " a", did you mean "a"'],
    [
      "audiences: [a], tokenTypes: ['*']",
      `tokenTypes[0]: Expected a token type such as "at+jwt", got "*": ${whole}, leave "tokenTypes" out for those that access tokens have`,
    ],
    [
      'audiences: [a], tokenTypes: [Bearer]',
      'tokenTypes[0]: Expected a token type such as "at+jwt", got "Bearer": that is how a token is sent, and "typ" says what it is, did you mean "at+jwt" or "JWT"',
    ],
    [
      'audiences: [a], requiredClaims: [realm_access.roles]',
      `requiredClaims[0]: Expected a claim name, got "realm_access.roles": ${nested}`,
    ],
  ])('%s', (settings, line) => {
    expect(issuerTrouble(`issuer: https://i, keys: { discovery: true }, ${settings}`)).toEqual([`issuers[0].${line}`])
  })

  test('the metadata of an issuer are no key set', () => {
    const url = 'https://i/.well-known/openid-configuration'
    expect(issuerTrouble(`issuer: https://i, audiences: [a], keys: { jwksUri: '${url}' }`)).toEqual([
      `issuers[0].keys.jwksUri: Expected the URL of a key set, got "${url}", which names one, write "discovery: true" in its place, or the "jwks_uri" that it names`,
    ])
  })

  test('names of issuers that are no patterns are taken as they are', () => {
    for (const name of ['https://tenant.auth0.com/', 'accounts.google.com', 'urn:example:issuer', 'my issuer'])
      expect(configOf(issuer(`issuer: '${name}', audiences: [a], keys: { jwksFile: /k }`)).issuers[0]?.issuer).toBe(
        name,
      )
  })
})

describe('claims', () => {
  const named = (name: string) => `routes: [{ path: /a, claims: { '${name}': [admin] } }]`
  test.each(['realm_access.roles', '$.roles', '/realm_access/roles', 'roles[0]', 'a.b.c'])(
    '%s is a claim inside of a claim',
    (name) => {
      const shown = /^[\w-]+$/.test(name) ? `.${name}` : `["${name}"]`
      expect(refused(named(name))).toEqual([
        `routes[0].claims${shown}: Expected a claim name, got "${name}": ${nested}`,
      ])
      expect(refused(`forward: { identity: { x-a: '${name}' } }`)).toEqual([
        `forward.identity.x-a: Expected a claim name, got "${name}": ${nested}`,
      ])
      const key = `{${name}}`
      expect(refused(`revocation: { redis: 'redis://r', check: redis, keys: ['${key}'] }`)).toEqual([
        `revocation.keys[0]: Expected a key with at least one claim in braces, such as "{jti}", got "${key}": ${nested}`,
      ])
    },
  )

  test.each(['roles', 'https://example.com/roles', 'cognito:groups', 'urn:zitadel:iam:org:project:roles'])(
    '%s is one',
    (name) => {
      expect(Object.keys(configOf(`${issuersLine}\n${named(name)}`).routes[0]?.claims ?? {})).toEqual([name])
      configOf(`${issuersLine}\nforward: { identity: { x-a: '${name}' } }`)
    },
  )

  test.each([
    ["'*'", ': "*" stands for no claim, name each claim'],
    ["'{sub}'", ': a claim is named without signs around it, did you mean "sub"'],
    ['$sub', ': a claim is named without signs around it, did you mean "sub"'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what somebody could write
    ["'${sub}'", ': a claim is named without signs around it, did you mean "sub"'],
  ])('the identity %s is refused', (claim, line) => {
    expect(refused(`forward: { identity: { x-a: ${claim} } }`)).toEqual([
      `forward.identity.x-a: Expected a claim name, got "${claim.replaceAll("'", '')}"${line}`,
    ])
  })

  test('a value that is a template is refused, one that looks like a pattern is a warning', () => {
    expect(refused("routes: [{ path: /a, claims: { tenant: '{tenant}' } }]")).toEqual([
      'routes[0].claims.tenant: Expected a value that a token can have, got "{tenant}", names in braces stand for nothing here',
    ])
    expect(warned("routes: [{ path: /a, claims: { tenant: ['*'] } }]")).toEqual([
      'routes[0].claims.tenant: Claims are compared whole: "*" is met by a token with this very value alone, name each value; "issuers[].requiredClaims" asks for a claim with any value',
    ])
    expect(warned('routes: [{ path: /a, claims: { scope: [admin] } }]')).toEqual([
      'routes[0].claims.scope: Claims are compared whole: "scope" with several scopes in one text is none of these values, write "scopes" in place of "claims"',
    ])
  })

  test('a map the wrong way round is a warning', () => {
    expect(warned('forward: { identity: { sub: x-auth-subject } }')).toEqual([
      'forward.identity.sub: The header "sub" carries the claim "x-auth-subject", which looks like a header, the header comes first: { x-auth-subject: sub }',
    ])
  })
})

test.each([
  ['orders:*', '"orders:*" is met by a token with this very scope alone, name each scope'],
  ['admin,write', '"admin,write" is one scope, several that a token must all have are a list: [admin, write]'],
])('the scope %s is a warning', (scope, line) => {
  expect(warned(`routes: [{ path: /a, scopes: ['${scope}'] }]`)).toEqual([
    `routes[0].scopes[0]: Scopes are compared whole: ${line}`,
  ])
})

describe('origins of pages', () => {
  test.each([
    ['*', ': "*" stands for nothing, write each origin'],
    ['https://*.example.com', ': "*" stands for nothing, write each origin'],
    ['http://localhost:*', ': "*" stands for nothing, write each origin'],
    ['null', ', as every sandboxed page of anybody has that one'],
    ['app.example.com', ', did you mean "https://app.example.com"'],
    ['/^https:.*$/', ': "*" stands for nothing, write each origin'],
  ])('%s is refused', (origin, line) => {
    expect(refused(`cors: { origins: ['${origin}'] }`)).toEqual([
      `cors.origins[0]: Expected an origin such as "https://app.example.com", got "${origin}"${line}`,
    ])
  })
  test('a path behind it is refused', () => {
    expect(refused("cors: { origins: ['https://app.example.com/login'] }")).toEqual([
      'cors.origins[0]: Expected an origin without path and query, got "https://app.example.com/login", did you mean "https://app.example.com"',
    ])
  })
  test('it is spelled as browsers send it', () => {
    const { cors } = configOf(`${issuersLine}\ncors: { origins: ['https://App.Example.com:443/', 'http://a:8080'] }`)
    expect(cors.origins).toEqual(['https://app.example.com', 'http://a:8080'])
  })
})
