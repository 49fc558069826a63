import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Crossing, headerRules } from '../../../src/http/headers/names.ts'
import type { HeaderNamePolicy, ProxyPolicy } from '../../../src/http/limits.ts'
import {
  attestedGroups,
  type HeaderNameGroup,
  isStrictName,
  namesOf,
  protectedGroups,
  untrustedGroups,
} from '../../../src/model/header-names.ts'
import { admitAll, limits } from '../../support/proxy.ts'

function rulesOf(names: Partial<HeaderNamePolicy> = {}) {
  const policy: ProxyPolicy = {
    decide: admitAll,
    upstream: new URL('http://127.0.0.1'),
    upstreamTls: { authority: undefined, serverName: undefined },
    identity: [['X-Auth-Subject', 'sub']],
    headerNames: { mode: 'strict', allow: [], drop: [], sources: ['authorization', 'x-token'], ...names },
    leftOut: { header: () => {}, identity: () => {} },
    stripToken: false,
    corsOrigins: [],
    isTrustedProxy: () => false,
    refreshHeader: 'x-refreshed-token',
    refresh: undefined,
    limits,
  }
  return headerRules(policy)
}
const crossing = (name: string, names: Partial<HeaderNamePolicy> = {}): Crossing => rulesOf(names).crossing(name)

const fates: Record<string, [name: string, names: Partial<HeaderNamePolicy>, fate: Crossing]> = {
  'an ordinary name passes': ['x-request-id', {}, 'passes'],
  'a name with a digit passes': ['x-b3-traceid', {}, 'passes'],
  'a name that servers fold does not pass': ['x.custom', {}, 'name'],
  'a name with an underscore does not pass': ['x_custom', {}, 'name'],
  'it passes where the app tells names apart': ['x.custom', { mode: 'token' }, 'passes'],
  'it passes where it is allowed': ['x_legacy', { allow: ['X_Legacy'] }, 'passes'],
  'another spelling of what is allowed does not pass': ['x.legacy', { allow: ['x_legacy'] }, 'name'],
  'an identity name does not pass': ['x-auth-subject', {}, 'listed'],
  'what an app takes for an identity name does not pass, even where the app tells names apart': [
    'x~auth.subject',
    { mode: 'token' },
    'folded',
  ],
  'nor where it is allowed': ['x_auth_subject', { allow: ['x_auth_subject'] }, 'folded'],
  'the refresh header does not pass': ['x-refreshed-token', {}, 'listed'],
  'a header in which tokens come passes in its own spelling alone': ['x-token', {}, 'passes'],
  'another spelling of it does not pass': ['x_token', { mode: 'token' }, 'folded'],
  'the framing is ours': ['content-length', {}, 'omitted'],
  'what an app takes for the framing does not pass': ['content_length', { mode: 'token' }, 'folded'],
  'what an app takes for another framing does not pass': ['transfer.encoding', { mode: 'token' }, 'folded'],
  'a header of the connection is omitted': ['keep-alive', {}, 'omitted'],
  'what an app takes for the type of the body does not pass': ['content+type', { mode: 'token' }, 'folded'],
  'a forwarding header is the word of a proxy': ['x-forwarded-for', {}, 'forwarding'],
  'any forwarding header is': ['x-forwarded-user', {}, 'forwarding'],
  'another spelling of a forwarding header does not pass, from nobody': [
    'x_forwarded_for',
    { mode: 'token' },
    'folded',
  ],
  'a rewriting header does not pass': ['x-original-url', {}, 'listed'],
  'it cannot be allowed': ['x-original-url', { allow: ['x-original-url'] }, 'listed'],
  'the client address is the word of a proxy': ['true-client-ip', {}, 'attested'],
  'the client certificate is': ['x-ssl-client-verify', {}, 'attested'],
  'another spelling of the client certificate does not pass, from nobody': [
    'ssl_client_verify',
    { mode: 'token' },
    'listed',
  ],
  'the client address can be allowed': ['client-ip', { allow: ['client-ip'] }, 'passes'],
  'what sets a proxy for the app does not pass': ['proxy', {}, 'listed'],
  'it can be allowed in its turn': ['proxy', { allow: ['proxy'] }, 'passes'],
  'another spelling of a listed name does not pass': ['x*host', { mode: 'token' }, 'listed'],
  'what the settings drop does not pass': ['x-internal', { drop: ['x-internal'] }, 'listed'],
  'in another spelling neither': ['x.internal', { drop: ['x-internal'], mode: 'token' }, 'listed'],
  'all names that begin so': ['x-debug-sql', { drop: ['x-debug-*'] }, 'listed'],
  'one of them that is allowed passes': ['x-debug-id', { drop: ['x-debug-*'], allow: ['x-debug-id'] }, 'passes'],
  'a header of the message can be dropped': ['cookie', { drop: ['cookie'] }, 'listed'],
  'a forwarding header can be dropped': ['x-forwarded-user', { drop: ['x-forwarded-user'] }, 'listed'],
  'a name like a member of every object passes': ['constructor', {}, 'passes'],
}
for (const [sentence, [name, names, fate]] of Object.entries(fates)) {
  test(`${sentence}: ${name}`, () => {
    expect(crossing(name, names)).toBe(fate)
  })
}

// holds: identity-under-folded-name
test('no name that folds to a protected one crosses, whatever the settings', () => {
  const protectedNames = [
    'x-auth-subject',
    'x-refreshed-token',
    'x-token',
    ...namesOf(protectedGroups).map((name) => name.replace('*', 'for')),
  ]
  const separator = fc.constantFrom('_', '.', '~', '+', '!', "'", '^', '|', '*', '$', '%', '&', '#', '`')
  fc.assert(
    fc.property(fc.constantFrom(...protectedNames), fc.array(separator, { minLength: 8, maxLength: 8 }), (name, by) => {
      let at = 0
      const spelling = name.replaceAll('-', () => by[at++ % by.length] ?? '_')
      fc.pre(!isStrictName(spelling))
      expect(crossing(spelling, { mode: 'token', allow: [spelling] })).toBe('folded')
    }),
  )
})

test('names that were seen before are judged as at first sight, however many there are', () => {
  const { crossing: judge } = rulesOf()
  const names = ['x-auth-subject', 'x_auth_subject', 'x-request-id', 'host', 'x-forwarded-for', 'client-ip']
  const before = names.map(judge)
  for (let count = 0; count < 3_000; count++) judge(`x-${count}`)
  expect(names.map(judge)).toEqual(before)
})

test('a long name is judged like a short one', () => {
  expect(crossing(`x-forwarded-${'a'.repeat(5_000)}`)).toBe('forwarding')
  expect(crossing(`x_${'a'.repeat(5_000)}`)).toBe('name')
})

test('Connection may name none of what the app relies on, in whatever spelling', () => {
  const { isProtected } = rulesOf().message
  for (const name of [
    ...['x-auth-subject', 'x.auth.subject', 'x-token', 'x_refreshed_token', 'host', 'content_length', 'authorization'],
    ...['cookie', 'transfer-encoding', 'x-forwarded-for', 'x_forwarded_for', 'forwarded', 'x-real-ip', 'via'],
    ...['x-ssl-client-verify', 'client-ip'],
  ])
    expect(isProtected(name), name).toBe(true)
  for (const name of ['x-hop', 'te', 'keep-alive', 'upgrade', 'http2-settings', 'trailer'])
    expect(isProtected(name), name).toBe(false)
})

test('each name stands on one list, once, in lower case and strict', () => {
  const groups: readonly HeaderNameGroup[] = [...protectedGroups, ...attestedGroups, ...untrustedGroups]
  const names = namesOf(groups)
  expect(names.filter((name) => !/^[a-z0-9-]+\*?$/.test(name))).toEqual([])
  expect(new Set(names).size).toBe(names.length)
  const covered = names.flatMap((name) =>
    names.filter((other) => other !== name && other.endsWith('*') && name.startsWith(other.slice(0, -1))),
  )
  expect(covered).toEqual([])
})
