// Ready when enough is there, from then on until the end; and what is done once, before the first traffic.
import { describe, expect, it, test } from 'vitest'
import { createReadiness, type ReadinessParts } from '../../src/assembly/readiness.ts'
import type { Issuer } from '../../src/token/verify.ts'

const issuer = (missing: string | undefined) =>
  ({ policy: { issuer: 'https://id.example' }, keys: { missing: () => missing } }) as unknown as Issuer

function readiness(given: Partial<ReadinessParts>) {
  return createReadiness({
    issuers: () => [issuer(undefined)],
    revocations: { readiness: () => ({ ready: true, detail: 'in memory' }) },
    isDraining: () => false,
    monotonic: () => 0,
    onFirstReady: () => {},
    ...given,
  })
}
const missingOf = (checks: ReturnType<ReturnType<typeof createReadiness>>) =>
  Object.fromEntries(checks.flatMap(({ name, missing }) => (missing === undefined ? [] : [[name, missing]])))

test('each thing that is missing is told by its own check', () => {
  expect(missingOf(readiness({})())).toEqual({})
  expect(missingOf(readiness({ issuers: () => [issuer('no keys yet')] })())).toEqual({
    keys: 'https://id.example: no keys yet',
  })
  const unread = { readiness: () => ({ ready: false, detail: 'never read' }) }
  expect(missingOf(readiness({ revocations: unread })())).toEqual({ revocations: 'never read' })
  expect(missingOf(readiness({ isDraining: () => true })())).toEqual({ draining: 'the gate is shutting down' })
})

test('the first time that nothing is missing is told once, and before it is answered', () => {
  let missing: string | undefined = 'no keys yet'
  const order: string[] = []
  const checks = readiness({ issuers: () => [issuer(missing)], onFirstReady: () => order.push('first ready') })
  const ask = () => order.push(Object.keys(missingOf(checks())).length === 0 ? 'ready' : 'not ready')
  ask()
  missing = undefined
  ask()
  ask()
  missing = 'gone again'
  ask()
  missing = undefined
  ask()
  expect(order).toEqual(['not ready', 'first ready', 'ready', 'ready', 'ready', 'ready'])
})

describe('the keys of several issuers', () => {
  it('are waited for during 15 s, then those of one are enough', () => {
    let nowMs = 5_000
    const checks = readiness({ issuers: () => [issuer(undefined), issuer('status is 503')], monotonic: () => nowMs })
    expect(missingOf(checks())).toEqual({ keys: 'https://id.example: status is 503' })
    nowMs += 14_999
    expect(missingOf(checks())).toEqual({ keys: 'https://id.example: status is 503' })
    nowMs += 1
    expect(missingOf(checks())).toEqual({})
    expect(checks()[0]).toMatchObject({ detail: 'https://id.example: status is 503' })
  })

  it('are waited for without end while there are none at all', () => {
    let nowMs = 0
    const checks = readiness({ issuers: () => [issuer('down'), issuer('down')], monotonic: () => nowMs })
    nowMs = 3_600_000
    expect(Object.keys(missingOf(checks()))).toEqual(['keys'])
  })

  it('are not enough while the list was not read in full', () => {
    let isRead = false
    const checks = readiness({ revocations: { readiness: () => ({ ready: isRead, detail: 'not read' }) } })
    expect(missingOf(checks())).toEqual({ revocations: 'not read' })
    isRead = true
    expect(missingOf(checks())).toEqual({})
  })
})

test('what goes missing later, keys of a new issuer or the list, does not make a ready gate unready; draining does', () => {
  const world = { missing: undefined as string | undefined, isRead: true, isDraining: false }
  const checks = readiness({
    issuers: () => [issuer(world.missing)],
    revocations: { readiness: () => ({ ready: world.isRead, detail: 'the list' }) },
    isDraining: () => world.isDraining,
  })
  expect(missingOf(checks())).toEqual({})
  Object.assign(world, { missing: 'down', isRead: false })
  expect(missingOf(checks())).toEqual({})
  expect(checks().map(({ detail }) => detail)).toEqual(['https://id.example: down', 'the list', undefined])
  world.isDraining = true
  expect(missingOf(checks())).toEqual({ draining: 'the gate is shutting down' })
})
