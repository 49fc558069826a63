// Are lines of rules and of keys read whatever is in them: each line a rule or a problem with its number, never an
// exception, and never a rule that says more than its line?
import fc from 'fast-check'
import { expect } from 'vitest'
import { readJsonLines, readKeyLines } from '../../src/revocation/rule/lines.ts'
import { isProblem } from '../../src/revocation/rule/rule.ts'
import { fuzz, pieces } from '../support/fuzz.ts'

const settings = { nowSeconds: 1_800_000_000, maxLifetimeSeconds: 86_400 }

const rule = fc
  .record(
    {
      kind: fc.constantFrom('token', 'subject', 'session', 'client', 'key', 'issuer', 'user', '__proto__', 1),
      value: fc.oneof(fc.string(), fc.constantFrom('alice', '', 'x'.repeat(1_025), 'a\nb', '\ud800'), fc.jsonValue()),
      issuer: fc.oneof(fc.constantFrom('https://id.example.com'), fc.jsonValue()),
      issuedBefore: fc.oneof(fc.constantFrom(1_700_000_000, '2027-01-01T00:00:00Z', -1, 1e20), fc.jsonValue()),
      expiresAt: fc.oneof(fc.constantFrom(1_900_000_000, '2027-06-01T00:00:00Z', 5), fc.jsonValue()),
      issuedbefore: fc.constant(1_700_000_000),
    },
    { requiredKeys: ['kind', 'value'] },
  )
  .map((value) => JSON.stringify(value))
const text = fc
  .array(fc.oneof(rule, fc.json(), pieces(5, '{', '}', '"', 'kind', ':', ' ', '\r', '\u2028', '\0')), { maxLength: 6 })
  .map((lines) => lines.join('\n'))

fuzz(
  'every line of rules is a rule or a problem that names it',
  3_000,
  fc.property(text, (lines) => {
    const { rules, problems } = readJsonLines(lines, settings)
    const given = lines.split('\n').filter((line) => line.trim() !== '')
    expect(rules.length + problems.length).toBe(given.length)
    for (const problem of problems) expect(problem).toMatch(/^line \d+: [^\n\r]+$/)
    for (const { value, expiresAtSeconds, atMs } of rules) {
      expect(value.length > 0 && Buffer.byteLength(value) <= 1_024).toBe(true)
      expect(Number.isSafeInteger(expiresAtSeconds) && Number.isFinite(atMs)).toBe(true)
    }
  }),
)

fuzz(
  'a rule says no more than its line: a narrowing that is misspelt or wrong is a problem, not a wider rule',
  3_000,
  fc.property(rule, (line) => {
    const [read] = readJsonLines(line, settings).rules
    if (read === undefined) return
    const given = JSON.parse(line) as Record<string, unknown>
    expect([read.kind, read.value]).toEqual([given.kind, given.value])
    expect(read.issuer).toBe(given.issuer)
    expect(read.issuedBeforeSeconds === undefined).toBe(given.issuedBefore === undefined)
    expect(given).not.toHaveProperty('issuedbefore')
  }),
)

fuzz(
  'every line of keys is a rule, a problem or a key that is gone, whatever the template',
  3_000,
  fc.property(
    pieces(4, 'revoked:', '{jti}', '{sub}', '{', '}', ':', 'x'),
    pieces(8, 'revoked:', 'alice', ' ', '60', '-1', '-2', '\n', '\t', 'x', '1e3', '\0'),
    (template, lines) => {
      const read = readKeyLines(lines, template, settings)
      if (isProblem(read)) return
      for (const { value } of read.rules) expect(lines.includes(value) && value !== '').toBe(true)
    },
  ),
)
