// A value with more rules, each for one issuer, than can be kept one by one: what was named is refused, and the rest of the
// list does not suffer.
import { describe, expect, test } from 'vitest'
import { createList, type RuleList } from '../../../src/revocation/compact-list/list.ts'
import { compareRules, type Rule, ruleKeyOf } from '../../../src/revocation/rule/rule.ts'
import { verifiedToken } from '../../support/verified-token.ts'

const start = 1_800_000_000
// Long values fill a place with few rules.
const alice = `alice@${'x'.repeat(1000)}`
const MANY = 600
const issuerOf = (index: number) => `https://issuer-${index}.example`

function ruleOf(index: number, more: Partial<Rule> = {}): Rule {
  return {
    kind: 'subject',
    value: alice,
    issuer: issuerOf(index),
    issuedBeforeSeconds: undefined,
    expiresAtSeconds: start + 1000 + index,
    reason: undefined,
    actor: undefined,
    atMs: start * 1000 + index,
    lifted: false,
    ...more,
  }
}

function fill(list: RuleList, more: Partial<Rule> = {}): void {
  for (let index = 0; index < MANY; index += 1) list.apply(ruleOf(index, more))
}

const isRefused = (list: RuleList, iss: string, more: object = {}, nowSeconds = start) =>
  list.check(verifiedToken({ jti: 'j', sub: alice, iss, ...more }), nowSeconds) !== undefined

describe('a value with too many rules for one issuer each', () => {
  test('is refused for every one of them, and for every issuer, as one rule that is shown', () => {
    const list = createList()
    expect(list.sizeWide()).toBe(0)
    fill(list)
    const admitted = Array.from({ length: MANY }, (_, index) => issuerOf(index)).filter((iss) => !isRefused(list, iss))
    expect(admitted).toEqual([])
    expect(isRefused(list, 'https://nobody-named.example')).toBe(true)
    expect(isRefused(list, issuerOf(1), { sub: 'bob' })).toBe(false)
    expect(list.sizeWide()).toBe(1)
    expect([...list.entries()]).toEqual([
      {
        ...ruleOf(MANY - 1, { issuer: undefined, expiresAtSeconds: start + 999 + MANY }),
        reason: 'one rule for every issuer: this value had too many rules for one issuer each',
      },
    ])
    expect([list.size('subject'), list.sizeAll()]).toEqual([1, 1])
    expect(list.apply(ruleOf(5))).toBe(false)
    expect(list.apply(ruleOf(5, { expiresAtSeconds: start + 5000 }))).toBe(true)
  })

  test('is free again when the last of them has ended, and the memory is given back', () => {
    const list = createList({ toleranceSeconds: 5 })
    fill(list)
    expect(isRefused(list, issuerOf(0), {}, start + 1003 + MANY)).toBe(true)
    expect(list.sweep(start + 1003 + MANY, 10_000)).toBe(0)
    expect(isRefused(list, issuerOf(0), {}, start + 1004 + MANY)).toBe(false)
    expect(list.sweep(start + 1004 + MANY, 10_000)).toBe(1)
    expect([list.sizeWide(), list.sizeAll(), list.size('subject'), list.memoryBytes()]).toEqual([0, 0, 0, 0])
    list.apply(ruleOf(1, { expiresAtSeconds: start + 9000 }))
    expect(isRefused(list, issuerOf(1))).toBe(true)
    expect(isRefused(list, issuerOf(2))).toBe(false)
  })

  test('leaves the tokens that were issued after all of them', () => {
    const list = createList()
    for (let index = 0; index < MANY; index += 1) list.apply(ruleOf(index, { issuedBeforeSeconds: start - index }))
    expect(list.sizeWide()).toBe(1)
    expect(isRefused(list, issuerOf(MANY - 1), { iat: start })).toBe(true)
    expect(isRefused(list, issuerOf(MANY - 1), { iat: start + 1 })).toBe(false)
    list.apply(ruleOf(7))
    expect(isRefused(list, issuerOf(MANY - 1), { iat: start + 1 })).toBe(true)
  })

  test('stays refused where one of them is lifted, or a rule for every issuer that was never among them', () => {
    const list = createList()
    fill(list)
    const later = { atMs: start * 1000 + 1_000_000, lifted: true }
    expect(list.apply(ruleOf(3, later))).toBe(false)
    list.apply(ruleOf(3, { issuer: undefined, ...later }))
    for (const index of [3, 4]) expect(isRefused(list, issuerOf(index))).toBe(true)
  })

  test('keeps its own rule for every issuer beside it, which can be lifted and counts', () => {
    const list = createList()
    const own = ruleOf(0, { issuer: undefined, expiresAtSeconds: start + 4000 })
    list.apply(own)
    fill(list)
    expect(list.find(own)).toEqual(own)
    list.sweep(start + 3000, 10_000)
    expect(isRefused(list, 'https://any.example', {}, start + 3000)).toBe(true)
  })

  test('is not refused where all of them were lifted', () => {
    const list = createList()
    fill(list, { lifted: true })
    expect(list.sizeWide()).toBe(0)
    expect(isRefused(list, issuerOf(MANY - 1))).toBe(false)
    list.apply(ruleOf(MANY))
    expect(isRefused(list, issuerOf(MANY))).toBe(true)
    expect(isRefused(list, issuerOf(MANY + 1))).toBe(false)
  })

  test('does not crowd out its neighbours, wherever they lie', () => {
    const list = createList({ hash: () => 0 })
    for (let index = 0; index < 255; index += 1) list.apply(ruleOf(index))
    expect(list.sizeWide()).toBe(0)
    const neighbours = Array.from({ length: 500 }, (_, index) => ruleOf(index, { value: `neighbour-${index}` }))
    for (const rule of neighbours) list.apply(rule)
    for (const [index, { value: sub }] of neighbours.entries()) {
      expect(isRefused(list, issuerOf(index), { sub })).toBe(true)
      expect(isRefused(list, issuerOf(index + 1), { sub })).toBe(false)
    }
    expect(list.sizeWide()).toBe(1)
    expect([0, 254].map((index) => isRefused(list, issuerOf(index)))).toEqual([true, true])
  })

  test('admits nothing that the rules one by one refuse, in whatever order they come', () => {
    const list = createList()
    const model = new Map<string, Rule>()
    let seed = 1
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((seed / 2 ** 32) * below)
    }
    for (let step = 0; step < 6000; step += 1) {
      const before = random(3) === 0 ? undefined : start - random(1000)
      const value = [alice, alice.toUpperCase()][random(2)]!
      const more = { value, atMs: start * 1000 + random(50_000), lifted: random(5) === 0, issuedBeforeSeconds: before }
      const rule = ruleOf(random(500), more)
      const known = model.get(ruleKeyOf(rule))
      if (known === undefined || compareRules(rule, known) > 0) model.set(ruleKeyOf(rule), rule)
      list.apply(rule)
    }
    expect(list.sizeWide()).toBe(2)
    const admitted = [...model.values()]
      .filter(({ lifted }) => !lifted)
      .filter(
        ({ value, issuer = '', issuedBeforeSeconds: iat = start }) => !isRefused(list, issuer, { sub: value, iat }),
      )
    expect(admitted).toEqual([])
  })
})
