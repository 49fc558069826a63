// Ready when nothing is missing; and what is done once, before the first traffic.
import { expect, test } from 'vitest'
import { createReadiness, type ReadinessParts } from '../../src/assembly/readiness.ts'
import type { Issuer } from '../../src/token/verify.ts'

const issuer = (missing: string | undefined) =>
  ({ policy: { issuer: 'https://id.example' }, keys: { missing: () => missing } }) as unknown as Issuer

function readiness(given: Partial<ReadinessParts>) {
  return createReadiness({
    issuers: () => [issuer(undefined)],
    revocations: { readiness: () => ({ ready: true, detail: 'in memory' }) },
    isDraining: () => false,
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
  expect(order).toEqual(['not ready', 'first ready', 'ready', 'ready', 'not ready', 'ready'])
})
