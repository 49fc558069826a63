// Is a token found, read and believed only where an independent reader would do so too? No exception, no wrong admit.
import fc from 'fast-check'
import { expect } from 'vitest'
import { isRefusal } from '../../src/model/refusal.ts'
import { createExtractor } from '../../src/token/extraction/extract.ts'
import { parseJsonObject } from '../../src/token/json.ts'
import { readKeySet } from '../../src/token/keys/key-set.ts'
import { createFixedKeys } from '../../src/token/keys/keys.ts'
import { readCompact } from '../../src/token/read.ts'
import { createTokenMemory } from '../../src/token/verified-cache.ts'
import { createVerifier } from '../../src/token/verify.ts'
import { fuzz, pieces } from '../support/fuzz.ts'
import { readJsonStrictly } from '../support/strict-json.ts'
import { goodClaims, jwksOf, makeKey, NOW_SECONDS, part, signToken } from '../support/tokens.ts'

/** Two texts that look like tokens. */
const [ONE, OTHER] = [`${part({ alg: 'ES256' })}.b.c`, `${part({ alg: 'ES256' })}.e.f`]
const SHAPE = /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/

const line = fc.oneof(
  fc.tuple(
    fc.constantFrom('authorization', 'x-api-token', 'accept'),
    pieces(4, 'Bearer', 'bearer', 'BEARER', 'Basic', ' ', '  ', '\t', ',', ONE, OTHER, ';', '='),
  ),
  fc.tuple(
    fc.constant('cookie'),
    pieces(8, 'session', 'Session', 'xsession', '=', '=', ';', '; ', ' ', '"', ONE, OTHER, ','),
  ),
)
const query = pieces(8, 'access_token', 'access%5ftoken', 'a', '=', '=', '&', '&', ONE, '+', '%61', '%')
const find = createExtractor({
  sources: [{ header: 'authorization' }, { header: 'x-api-token' }, { cookie: 'session' }, { query: 'access_token' }],
  maxBytes: 100,
})

const afterScheme = (value: string): string | undefined => /^bearer(?: +|$)(.*)$/is.exec(value)?.[1]

function inCookies(value: string): string[] {
  return value.split(';').flatMap((pair) => {
    const [, name = '', content = ''] = /^([^=]*)=(.*)$/s.exec(pair) ?? []
    return name.trim() === 'session' && SHAPE.test(content.trim()) ? [content.trim()] : []
  })
}

/** Every place in which some application would find a token, found another way than the gate does it. */
function places(headers: readonly (readonly [string, string])[], queryText: string): string[] {
  const inHeaders = headers.flatMap(([name, value]) => {
    if (name === 'cookie') return inCookies(value)
    const token = afterScheme(value) ?? (name === 'x-api-token' && value !== '' ? value : undefined)
    return name === 'accept' || token === undefined ? [] : [token]
  })
  const inQuery = queryText.split('&').flatMap((pair) => {
    const [[name, value] = ['', '']] = new URLSearchParams(pair)
    return name.trim() === 'access_token' && value !== '' ? [pair.slice(pair.indexOf('=') + 1)] : []
  })
  return [...inHeaders, ...inQuery]
}

fuzz(
  'a token that is found is the only one that any reader finds',
  4_000,
  fc.property(fc.array(line, { maxLength: 4 }), query, (lines, queryText) => {
    const found = find({ method: 'GET', path: '/', query: queryText, headers: lines.flat() })
    const everywhere = places(lines, queryText)
    if (isRefusal(found)) {
      // A value of another spelling is no token for us; anything else that a reader finds alone has to be found
      if (found.reason === 'token_missing') expect(everywhere.length <= 1).toBe(true)
      return
    }
    expect(new Set(everywhere)).toEqual(new Set(found.several?.tokens ?? [found.token]))
  }),
)

const jsonText = fc.oneof(
  fc.json({ maxDepth: 4 }),
  pieces(
    14,
    ...['{', '}', '{', '}', '[', ']', ':', ':', ',', ',', '"a"', '"a"', '"\\u0061"', '"b"', '"__proto__"'],
    ...['1', '-1', '1e400', '0.5', '01', 'true', 'null', '"x"', ' ', '\n', '"\\ud800"', '"\\"', '\ufeff', '\0', "'"],
  ),
  fc.integer({ min: 28, max: 36 }).map((depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`),
)

fuzz(
  // holds: duplicate-json-members
  'JSON is taken exactly where a strict reader of its own takes an object without a name twice',
  4_000,
  fc.property(jsonText, (text) => {
    const parsed = parseJsonObject(Buffer.from(text, 'utf8'))
    expect(parsed !== undefined, text).toBe(readJsonStrictly(text, 32))
    if (parsed !== undefined) expect(JSON.stringify(parsed)).toBe(JSON.stringify(JSON.parse(text)))
  }),
)

fuzz(
  // holds: deep-huge-broken-json
  'any bytes as JSON are an object or nothing, never an exception',
  1_000,
  fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    const parsed = parseJsonObject(bytes)
    if (parsed !== undefined) expect(Buffer.from(bytes).toString('utf8').trim().startsWith('{')).toBe(true)
  }),
)

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Canonical base64url by counting bits: no length that leaves six, and no bit set in what is left. */
function isCanonical(text: string): boolean {
  if ([...text].some((letter) => !alphabet.includes(letter))) return false
  const rest = text.length % 4
  const last = alphabet.indexOf(text.at(-1) ?? 'A')
  return rest !== 1 && !(rest === 2 && (last & 0b1111) !== 0) && !(rest === 3 && (last & 0b11) !== 0)
}

const compact = pieces(
  7,
  ...[
    '.',
    '.',
    part({ alg: 'ES256' }),
    part({ alg: 'none' }),
    part({ sub: 'a' }),
    part({ alg: 'ES256', crit: ['b64'] }),
  ],
  ...['AA', 'AB', 'A', 'AAAA', '=', '+', '/', ' ', '\n', '\r\n', '\0', 'é', '%2e'],
)

fuzz(
  // holds: lax-base64url
  'a token that is read has three parts that can be spelled in no other way',
  4_000,
  fc.property(compact, (text) => {
    const token = readCompact(text)
    if (isRefusal(token)) return
    const parts = text.split('.')
    expect(parts.map(isCanonical)).toEqual([true, true, true])
    expect(token.signedPart).toBe(`${parts[0]}.${parts[1]}`)
  }),
)

const key = makeKey('EdDSA')
const verify = createVerifier({
  issuers: [
    {
      policy: {
        issuer: 'https://id.example.com',
        audiences: ['orders'],
        algorithms: ['EdDSA'],
        clockToleranceSeconds: 0,
        tokenTypes: undefined,
        allowIdTokens: false,
        confirmation: 'checked' as const,
        requiredClaims: [],
        maxLifetimeSeconds: 3_600,
      },
      keys: createFixedKeys(readKeySet(jwksOf(key))),
    },
  ],
  memory: createTokenMemory({ maxEntries: 100, maxBytes: 100_000, onEvict: () => {} }),
  clock: () => NOW_SECONDS * 1_000,
  monotonic: () => 0,
  observe: () => {},
})
const good = signToken(key, goodClaims())

fuzz(
  // holds: wycheproof-as-bearer-tokens, jwt-tool
  'a token in which anything was changed is refused',
  1_500,
  fc.asyncProperty(
    fc.nat(good.length - 1),
    fc.nat(3),
    fc.oneof(fc.constantFrom(...alphabet), fc.constantFrom('.', '=', '+', '/', ' ', '\n', '')),
    async (at, removed, inserted) => {
      const changed = good.slice(0, at) + inserted + good.slice(at + removed)
      if (changed === good) return
      expect(isRefusal(await verify(changed))).toBe(true)
    },
  ),
)

fuzz(
  // holds: exp-nbf-iat-at-edges
  'claims of any type are admitted or refused, never an exception, and never admitted beyond the plain rules',
  1_500,
  fc.asyncProperty(
    fc.record({
      exp: fc.oneof(fc.constantFrom(NOW_SECONDS - 1, NOW_SECONDS, NOW_SECONDS + 1, 2 ** 53, -1, 1.5), fc.jsonValue()),
      iat: fc.oneof(fc.constantFrom(undefined, NOW_SECONDS, NOW_SECONDS + 1), fc.jsonValue()),
      nbf: fc.oneof(fc.constantFrom(undefined, NOW_SECONDS, NOW_SECONDS + 1), fc.jsonValue()),
      aud: fc.oneof(fc.constantFrom('orders', ['orders'], ['x', 'orders'], 'order', 'orders ', []), fc.jsonValue()),
      sub: fc.oneof(fc.constantFrom(undefined, 'alice'), fc.jsonValue()),
    }),
    async (claims) => {
      const verified = await verify(signToken(key, goodClaims(claims)))
      if (isRefusal(verified)) return
      const { exp, aud } = claims
      // What is null is absent
      const [iat, nbf] = [claims.iat ?? undefined, claims.nbf ?? undefined]
      expect(typeof exp === 'number' && exp > NOW_SECONDS && exp - NOW_SECONDS <= 3_600).toBe(true)
      // A time that has not come is held against the clock on every request, by what the token carries with it
      for (const begin of [iat, nbf]) {
        expect(begin === undefined || typeof begin === 'number').toBe(true)
        if (typeof begin === 'number') expect(verified.refusedBeforeSeconds).toBeGreaterThanOrEqual(begin)
      }
      expect(
        typeof aud === 'string' ? aud === 'orders' : Array.isArray(aud) && (aud as unknown[]).includes('orders'),
      ).toBe(true)
    },
  ),
)
