// The list as it grows, turns over and empties: exact at every size, and its memory goes when its rules go.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createList, type RuleList } from '../../../src/revocation/compact-list/list.ts'
import type { Rule } from '../../../src/revocation/rule/rule.ts'
import { verifiedToken } from '../../support/verified-token.ts'

const start = 1_800_000_000

/** A different UUID for each number. */
function uuidOf(index: number): string {
  const hex = Math.imul(index, 0x9e3779b1) >>> 0
  return `${hex.toString(16).padStart(8, '0')}-0000-4000-8000-${index.toString(16).padStart(12, '0')}`
}

function ruleOf(index: number, more: Partial<Rule> = {}): Rule {
  const value = index % 10 === 0 ? `customer-${index}@example.com` : uuidOf(index)
  return {
    kind: index % 10 === 0 ? 'subject' : 'token',
    value,
    issuer: undefined,
    issuedBeforeSeconds: undefined,
    expiresAtSeconds: start + 60 + (index % 3600),
    reason: undefined,
    actor: undefined,
    atMs: start * 1000 + index,
    lifted: false,
    ...more,
  }
}

function tokenOf({ kind, value }: Rule) {
  return verifiedToken(kind === 'subject' ? { sub: value } : { jti: value })
}

function fill(list: RuleList, from: number, to: number): void {
  for (let index = from; index < to; index += 1) list.apply(ruleOf(index))
}

// holds: hundred-thousand-rules
test('a hundred thousand rules are all there, and nothing else is', () => {
  const list = createList()
  fill(list, 0, 100_000)
  const lost: number[] = []
  const invented: number[] = []
  for (let index = 0; index < 100_000; index += 1) {
    if (list.check(tokenOf(ruleOf(index)), start)?.value !== ruleOf(index).value) lost.push(index)
    if (list.check(tokenOf(ruleOf(index + 100_000)), start) !== undefined) invented.push(index)
  }
  expect({ lost, invented }).toEqual({ lost: [], invented: [] })
  expect(list.sizeAll()).toBe(100_000)
  expect(new Set(Array.from(list.entries(), ({ value }) => value)).size).toBe(100_000)
})

// holds: hundred-thousand-rules
test('token rules take less than 30 bytes each, however many there are, and it says so', () => {
  const list = createList()
  for (let index = 1; index <= 100_000; index += 1) {
    list.apply(ruleOf(index, { kind: 'token', value: uuidOf(index) }))
    if (index % 1000 !== 0) continue
    // Two blocks of 256 KiB may be empty at any time.
    expect(list.memoryBytes()).toBeLessThan(28 * index + 525_000)
    expect(list.memoryBytes()).toBeGreaterThan(24 * index)
  }
  expect(list.memoryBytes()).toBeLessThan(3_000_000)
})

test('rules end as time passes, each at its own time, and the memory goes with them', () => {
  const list = createList({ toleranceSeconds: 5 })
  fill(list, 0, 72_000)
  const full = list.memoryBytes()
  for (let passed = 0; passed <= 3600 + 60; passed += 60) {
    const nowSeconds = start + 5 + passed
    for (let round = 0; round < 2; round += 1) list.sweep(nowSeconds, Number.POSITIVE_INFINITY)
    // 20 rules end in each second from the sixtieth on.
    expect(list.sizeAll()).toBe(72_000 - 20 * Math.min(3600, Math.max(0, passed - 59)))
    if (passed === 1800) expect(list.memoryBytes()).toBeLessThan(full * 0.8)
    if (passed === 3540) expect(list.memoryBytes()).toBeLessThan(full * 0.2)
  }
  list.sweep(start + 10_000, Number.POSITIVE_INFINITY)
  expect([list.sizeAll(), list.memoryBytes()]).toEqual([0, 0])
})

test('a sweep begins where the last one ended: rules that stay do not keep it from those that have ended', () => {
  const list = createList()
  fill(list, 0, 50_000)
  const stays = Array.from({ length: 50_000 }, (_, index) => index % 3600 > 1800).filter(Boolean).length
  for (let round = 0; round < 60; round += 1) list.sweep(start + 60 + 1800, 1000)
  expect(list.sizeAll()).toBe(stays)
})

test('a sweep looks at little more than it was asked to', () => {
  const list = createList()
  fill(list, 0, 50_000)
  let dropped = 0
  for (let round = 0; round < 60; round += 1) {
    const now = list.sweep(start + 10_000, 1000)
    expect(now).toBeLessThan(2000)
    dropped += now
  }
  expect(dropped).toBe(50_000)
})

test('many more rules pass through than are alive at a time, and the memory stays', () => {
  const list = createList()
  const sizes: number[] = []
  for (let first = 0; first < 400_000; first += 1000) {
    const nowSeconds = start + first / 40
    for (let index = first; index < first + 1000; index += 1) {
      list.apply(ruleOf(index, { expiresAtSeconds: nowSeconds + 200 + (index % 997), atMs: nowSeconds * 1000 }))
    }
    list.sweep(nowSeconds, 10_000)
    if (first % 50_000 === 0 && first >= 100_000) sizes.push(list.memoryBytes())
  }
  expect(list.sizeAll()).toBeLessThan(40_000)
  expect(Math.max(...sizes)).toBeLessThan(Math.min(...sizes) * 1.3)
})

test('ten thousand different reasons, actors and issuers come back as they were, and cost only while they are held', () => {
  const list = createList()
  const made = Array.from({ length: 10_000 }, (_, index) =>
    ruleOf(index, {
      issuer: `https://tenant-${index}.example`,
      reason: `ticket ${index} of größe`,
      actor: index % 2 === 0 ? `agent-${index}` : undefined,
    }),
  )
  for (const rule of made) list.apply(rule)
  expect(made.filter((rule) => JSON.stringify(list.find(rule)) !== JSON.stringify(rule))).toEqual([])
  const again = made.map((rule) => ({ ...rule, reason: 'the same for all', atMs: rule.atMs + 1 }))
  for (const rule of again) list.apply(rule)
  expect(again.filter((rule) => JSON.stringify(list.find(rule)) !== JSON.stringify(rule))).toEqual([])
  const own = { iss: 'https://tenant-4711.example', jti: uuidOf(4711) }
  expect(list.check(verifiedToken(own), start)).toEqual(again[4711])
  expect(list.check(verifiedToken({ ...own, iss: 'https://tenant-4712.example' }), start)).toBeUndefined()
  expect(list.check(verifiedToken({ iss: 'https://tenant-9991.example', jti: uuidOf(9991) }), start)).toEqual(
    again[9991],
  )
  const prefix = { iss: 'https://tenant-9991.exampl', jti: uuidOf(9991) }
  expect(list.check(verifiedToken(prefix), start)).toBeUndefined()
  list.sweep(start + 10_000, Number.POSITIVE_INFINITY)
  expect(list.memoryBytes()).toBe(0)
})

test('a reason is forgotten with the last rule that has it', () => {
  const list = createList()
  list.apply(ruleOf(0, { expiresAtSeconds: start + 100_000 }))
  const before = list.memoryBytes()
  for (let index = 1; index < 4000; index += 1) list.apply(ruleOf(index, { reason: `ticket ${index}` }))
  expect(list.memoryBytes()).toBeGreaterThan(before + 4000 * 100)
  for (let round = 0; round < 2; round += 1) list.sweep(start + 10_000, Number.POSITIVE_INFINITY)
  expect(list.sizeAll()).toBe(1)
  // Shards and their directory stay.
  expect(list.memoryBytes()).toBeLessThan(before + 10_000)
})

test('a list that is never empty keeps the times of rules exact over years', () => {
  const list = createList()
  const years = [0, -1, 0.2, 1, 1.9, 2, 2.1, 3, 5, 40]
  const made = years.map((year, index) => {
    const atMs = (start + year * 365 * 86_400) * 1000 + 1
    return ruleOf(index, { atMs, expiresAtSeconds: Math.floor(atMs / 1000) + 3600 })
  })
  for (const rule of made) list.apply(rule)
  expect(made.map((rule) => list.find(rule))).toEqual(made)
})

test('a rule that cannot be held is refused, and what was there stays', () => {
  const list = createList()
  const rule = ruleOf(1)
  list.apply(rule)
  expect(() => list.apply(ruleOf(1, { value: 'x'.repeat(1025) }))).toThrow('Cannot hold a revocation rule: its value')
  const withLongReason = { ...rule, reason: 'x'.repeat(3000), atMs: rule.atMs + 1 }
  expect(() => list.apply(withLongReason)).toThrow('Cannot hold a revocation rule: its issuer, source or notes')
  expect(list.find(rule)).toEqual(rule)
  expect(list.find({ kind: 'token', value: 'x'.repeat(5000), issuer: undefined })).toBeUndefined()
  expect(list.check(verifiedToken({ jti: 'x'.repeat(5000) }), start)).toBeUndefined()
})

// holds: hash-flooding
test('values that nobody could spread fill one place, which is refused in the end rather than lost', () => {
  const list = createList({ hash: () => 0 })
  const values = Array.from({ length: 200 }, (_, index) => `${index}${'x'.repeat(1000)}`)
  for (const value of values) list.apply(ruleOf(1, { value }))
  expect(values.every((value) => list.check(verifiedToken({ jti: value }), start) !== undefined)).toBe(true)
  const more = () =>
    Array.from({ length: 200 }, (_, index) => list.apply(ruleOf(1, { value: `more ${index}${values}`.slice(0, 1000) })))
  expect(more).toThrow('too many have one hash')
  expect(values.every((value) => list.check(verifiedToken({ jti: value }), start) !== undefined)).toBe(true)
})

test('a check that finds nothing allocates nothing', async () => {
  const script = new URL('../../support/list-allocation.ts', import.meta.url).pathname
  const { stdout } = await promisify(execFile)(process.execPath, [script])
  expect(Number(stdout)).toBeLessThan(1)
})
