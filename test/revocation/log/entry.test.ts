import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeEntry, encodeEntry, readEntry } from '../../../src/revocation/log/entry.ts'
import { type Rule, ruleKinds } from '../../../src/revocation/rule/rule.ts'

const decode = (...fields: string[]) => decodeEntry('1700000000000-0', fields, 99)

describe('entries of the log', () => {
  test('what is written is read back the same', () => {
    const seconds = fc.integer({ min: 0, max: 4_000_000_000 })
    const written = fc.record({
      kind: fc.constantFrom(...ruleKinds),
      value: fc.stringMatching(/^[a-z:"{}*]{1,40}$/),
      issuer: fc.option(fc.webUrl(), { nil: undefined }),
      issuedBeforeSeconds: fc.option(seconds, { nil: undefined }),
      expiresAtSeconds: seconds,
      reason: fc.constantFrom(undefined, 'laptop stolen', 'ü'.repeat(128)),
      actor: fc.constantFrom(undefined, 'on-call'),
      atMs: fc.integer({ min: 0, max: 1_700_000_000_000 }),
      lifted: fc.boolean(),
    }) satisfies fc.Arbitrary<Rule>
    fc.assert(
      fc.property(written, (rule) => {
        expect(decodeEntry('1700000000000-7', encodeEntry(rule, { keepsTime: true }), 1)).toEqual(rule)
        const timed = decodeEntry('1700000000000-7', encodeEntry(rule, { keepsTime: false }), 1)
        expect(timed).toEqual({ ...rule, atMs: 1_700_000_000_000 })
      }),
    )
  })

  test('any fields at all are a rule or nothing, never an exception', () => {
    const name = fc.oneof(fc.constantFrom('kind', 'value', 'issuer', 'before', 'expires', 'lifted', 'at'), fc.string())
    const text = fc.oneof(
      fc.constantFrom('token', 'subject', '1', '-1', '1e9', '99999999999999'),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(name, text), { maxLength: 40 }), fc.string(), (fields, id) => {
        decodeEntry(id, fields, 1)
        decodeEntry('1-1', fields, 1)
      }),
    )
  })

  test.each([
    ['a missing kind', ['value', 'x']],
    ['an unknown kind', ['kind', 'constructor', 'value', 'x']],
    ['a missing value', ['kind', 'token']],
    ['an empty value', ['kind', 'token', 'value', '']],
    ['a value of 1025 bytes', ['kind', 'token', 'value', 'ü'.repeat(513)]],
    ['a NUL', ['kind', 'token', 'value', 'a\0b']],
    ['a line break', ['kind', 'token', 'value', 'a\r\nb']],
    ['an unreadable before of a lift', ['kind', 'token', 'value', 'x', 'before', 'yesterday', 'lifted', '1']],
    ['an unreadable lifted', ['kind', 'token', 'value', 'x', 'lifted', 'perhaps']],
    ['an issuer with a NUL', ['kind', 'token', 'value', 'x', 'issuer', '\0']],
    ['a flood of fields', Array<string>(200).fill('x')],
  ])('%s is no rule, and the reason is said without the value', (_name, fields) => {
    expect(decode(...fields)).toBeUndefined()
    const { problem } = readEntry('1700000000000-0', fields, 99)
    expect(problem).toMatch(/^("(kind|value|issuer|before|lifted)" is |it has more than)/)
    expect(problem).not.toMatch(/constructor|yesterday|perhaps|ü/)
  })

  test('an id that is none is no rule', () => {
    expect(readEntry('x', ['kind', 'token', 'value', 'x'], 99)).toMatchObject({
      rule: undefined,
      problem: 'its id is not like "<milliseconds>-<sequence>"',
    })
  })

  test.each([
    ['unix seconds', '1795532520', 1_795_532_520],
    ['unix seconds with a fraction', '1795532520.25', 1_795_532_520.25],
    ['ISO 8601', '2026-11-24T15:02:00Z', 1_795_532_520],
    ['ISO 8601 with a zone and a fraction', '2026-11-24T16:02:00.250+01:00', 1_795_532_520.25],
    ['unix milliseconds', '1795532520250', 1_795_532_520.25],
  ])('"before" and "expires" are read as %s', (_name, text, seconds) => {
    const { rule, problem } = readEntry('1-0', ['kind', 'token', 'value', 'x', 'before', text, 'expires', text], 99)
    expect(rule).toMatchObject({ issuedBeforeSeconds: seconds, expiresAtSeconds: seconds })
    expect(problem).toBeUndefined()
  })

  test.each([
    'yesterday',
    'now',
    ' now ',
    '-1',
    '1e9',
    '253402300800',
    '1795532520000000',
    '2026-11-24T15:02:00',
    'NaN',
  ])(
    'a "before" of "%s" cannot be read: the rule is against every token until it was written, and that is said',
    (text) => {
      const { rule, problem } = readEntry('1700000000500-0', ['kind', 'subject', 'value', 'alice', 'before', text], 99)
      expect(rule).toMatchObject({ kind: 'subject', value: 'alice', issuedBeforeSeconds: 1_700_000_000.5 })
      expect(problem).toBe('"before" is neither unix seconds nor ISO 8601 with a time zone')
    },
  )

  test.each([
    ['missing', []],
    ['unreadable', ['expires', 'never']],
    ['negative', ['expires', '-1']],
    ['another one for each reader', ['expires', 'now']],
    ['without a time zone', ['expires', '2026-11-24T15:02:00']],
    ['beyond all years', ['expires', '1795532520000000']],
  ])('an end that is %s becomes the far one, so that the rule holds', (_name, fields) => {
    expect(decode('kind', 'token', 'value', 'x', ...fields)).toMatchObject({ expiresAtSeconds: 99, lifted: false })
  })

  test('unknown fields are ignored, long notes are cut, and no line break of a note survives', () => {
    const rule = decode('kind', 'token', 'value', 'x', 'color', 'blue', 'reason', 'a\r\nb', 'actor', 'ü'.repeat(300))
    expect(rule).toMatchObject({ reason: 'a  b', actor: 'ü'.repeat(128) })
    expect(rule).not.toHaveProperty('color')
  })

  test('an original time far ahead of the entry is not believed, or the rule could never be lifted', () => {
    expect(decode('kind', 'token', 'value', 'x', 'at', '999999999999999')?.atMs).toBe(1_700_000_000_000)
    expect(decode('kind', 'token', 'value', 'x', 'at', '1600000000000')?.atMs).toBe(1_600_000_000_000)
  })
})
