import { expect, test } from 'vitest'
import { createList } from '../../src/revocation/compact-list/list.ts'
import { createMemoryRevocations } from '../../src/revocation/in-process.ts'
import { verifiedToken } from '../support/verified-token.ts'
import { rule } from './harness.ts'

test('in memory a rule is in force at once, is announced, and a lift within the same millisecond counts', async () => {
  const nowMs = Date.now()
  const revocations = createMemoryRevocations({ list: createList(), clock: () => nowMs })
  const changed: string[] = []
  revocations.onChange(({ value, lifted }) => changed.push(`${value} ${lifted}`))
  expect(revocations.readiness().ready).toBe(true)
  expect(revocations.check(verifiedToken({ sid: 's' }))).toEqual({ state: 'clear', degraded: false })
  await revocations.write([rule({ kind: 'session', value: 's' })])
  expect(revocations.check(verifiedToken({ sid: 's' }))).toMatchObject({ state: 'revoked' })
  expect(await revocations.list()).toHaveLength(1)
  expect(await revocations.lift('session', 's')).toMatchObject({ value: 's' })
  expect(revocations.check(verifiedToken({ sid: 's' }))).toMatchObject({ state: 'clear' })
  expect(await revocations.lift('session', 's')).toBeUndefined()
  expect(changed).toEqual(['s false', 's true'])
})
