// How long a gate waits for what another gate gets from the identity provider.

import { describe, expect, it } from 'vitest'
import type { FleetEntries } from '../../../src/redis/entries.ts'
import { createSuccessorBook } from '../../../src/refresh/identity-provider/exchange-lock.ts'
import { waitForStored } from '../../../src/refresh/identity-provider/obtain.ts'
import { verifiedToken } from '../../support/verified-token.ts'

const TEXT = 'head.claims.signature'
const names = { nameOf: (kind: string, id: string) => `${kind}:${id}` }
const book = createSuccessorBook(names, Date.now)
const due = { text: TEXT, token: verifiedToken(), patienceMs: 300 }

/** Waits with a Redis that answers like this, and tells how often it was asked. */
async function wait(answer: (asked: number) => ReturnType<FleetEntries['read']>, patienceMs = due.patienceMs) {
  let asked = 0
  const stored = await waitForStored({ ...due, patienceMs }, { read: () => answer(++asked) }, book)
  return { stored, asked }
}

describe('who waits for another gate', () => {
  it('gets what that leaves, also after a look that failed', async () => {
    const { text: sealed } = book.entry(due, { state: 'issued', text: 'next' })
    const answers = [Promise.reject(new Error('away')), Promise.resolve([undefined]), Promise.resolve([sealed])]
    for (const each of answers) each.catch(() => {})
    expect(await wait((asked) => answers[asked - 1] ?? Promise.resolve([]), 10_000)).toEqual({
      stored: { state: 'issued', text: 'next' },
      asked: 3,
    })
  })

  it('does not wait longer for a Redis that does not answer', async () => {
    expect(await wait(() => new Promise(() => {}))).toEqual({ stored: undefined, asked: 1 })
  })

  it('counts the time that Redis takes as well', async () => {
    const { stored, asked } = await wait(() => new Promise((resolve) => setTimeout(resolve, 200, [undefined])))
    expect(stored).toBeUndefined()
    expect(asked).toBeLessThan(3)
  })
})
