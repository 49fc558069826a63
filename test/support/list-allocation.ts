// How many bytes of V8's heap does a check take that finds nothing? A process of its own, since a test runner transforms what it
// runs. Prints the least of several measurements, for a token without any rule and for one whose rules are not against it.
import { createList } from '../../src/revocation/compact-list/list.ts'
import type { Rule } from '../../src/revocation/rule/rule.ts'
import { verifiedToken } from './verified-token.ts'

const start = 1_800_000_000
// Made once: a fresh number with a fraction for each call would be an allocation of ours.
const now = start + 0.5
const checks = 40_000
const base = { kind: 'token', value: '', expiresAtSeconds: start + 60, atMs: start * 1000 } satisfies Rule
const list = createList({ toleranceSeconds: 5 })
for (let index = 0; index < 20_000; index += 1) list.apply({ ...base, value: `token-${index}` })
for (const kind of ['subject', 'session', 'client', 'key', 'issuer'] as const) {
  list.apply({ ...base, kind, value: `some ${kind}` })
}
list.apply({ ...base, value: 'j', issuer: 'https://other.example' })
list.apply({ ...base, kind: 'subject', value: 's', issuedBeforeSeconds: start - 1 })
list.apply({ ...base, kind: 'session', value: 'i', lifted: true })
list.apply({ ...base, kind: 'client', value: 'a', expiresAtSeconds: start - 10 })

const about = { jti: 'j', sub: 's', sid: 'i', azp: 'a', client_id: 'c', iat: start }
const other = { jti: '0123abcd-4567-4789-8abc-def012345678', sub: 'Ζωή', sid: 'x'.repeat(900), azp: 'b', iat: start }
const tokens = [about, other].map((claims) => verifiedToken(claims, { keyId: 'k' }))

const growths = Array.from({ length: 20 }, () => {
  const before = process.memoryUsage().heapUsed
  for (let round = 0; round < checks; round += 1) for (const token of tokens) list.check(token, now)
  return process.memoryUsage().heapUsed - before
})
// Below zero where a collection fell into it.
console.log(Math.min(...growths.filter((growth) => growth >= 0)) / (checks * tokens.length))
