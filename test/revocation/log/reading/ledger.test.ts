import { describe, expect, test } from 'vitest'
import { createLedger, type Ledger } from '../../../../src/revocation/log/reading/ledger.ts'

const entry = (id: string, ...fields: string[]) => ({ id, fields })
const stateWith = (anchor: ReturnType<typeof entry> | undefined, length: number, trimmed = 0) => ({
  anchor,
  length,
  trimmed,
})

function readTwo(trimmed = 0): Ledger {
  const ledger = createLedger()
  ledger.begin(stateWith(undefined, 2, trimmed))
  ledger.note(entry('1-0', 'value', 'a'))
  ledger.note(entry('2-0', 'value', 'b'))
  return ledger
}

describe('a log is the one that was read', () => {
  test('when the last entry is there and nothing is missing', () => {
    const ledger = readTwo()
    expect(ledger.position()).toBe('2-0')
    expect(ledger.lossIn(stateWith(entry('2-0', 'value', 'b'), 2))).toBeUndefined()
    expect(ledger.lossIn(stateWith(entry('2-0', 'value', 'b'), 7))).toBeUndefined()
  })

  test('when what is missing was trimmed since', () => {
    expect(readTwo(10).lossIn(stateWith(entry('2-0', 'value', 'b'), 1, 11))).toBeUndefined()
  })
})

describe('a log has lost something', () => {
  test('when the last entry is gone, or is another one under the same id', () => {
    expect(readTwo().lossIn(stateWith(undefined, 2))).toMatchObject({ isBroken: true })
    expect(readTwo().lossIn(stateWith(entry('2-0', 'value', 'c'), 2))).toMatchObject({ isBroken: true })
    expect(readTwo().lossIn(stateWith(entry('2-0', 'value', 'b', 'more', ''), 2))).toMatchObject({ isBroken: true })
  })

  test('when there are fewer entries than were read, trimmed ones aside', () => {
    const last = entry('2-0', 'value', 'b')
    expect(readTwo().lossIn(stateWith(last, 1))).toMatchObject({ isBroken: false })
    expect(readTwo(10).lossIn(stateWith(last, 1, 10))).toMatchObject({ isBroken: false })
    // The count of trims went with everything else.
    expect(readTwo(10).lossIn(stateWith(last, 2, 0))).toMatchObject({ isBroken: false })
  })
})

describe('entries of our own', () => {
  test('are awaited until they are read, and not when they were read before their write was answered', async () => {
    const ledger = readTwo()
    await ledger.track(async () => {
      ledger.note(entry('3-0'))
      return { ids: ['3-0', '4-0'], values: ['x', 'x'] }
    })
    expect(ledger.awaited()).toEqual(['4-0'])
    expect(ledger.arePassed(['4-0'])).toBe(false)
    ledger.note(entry('4-1'))
    expect(ledger.stillAwaited(['4-0'])).toEqual(['4-0'])
    expect(ledger.arePassed(['4-0'])).toBe(true)
    ledger.note(entry('4-0'))
    expect(ledger.stillAwaited(['4-0'])).toEqual([])
  })

  test('are lost where another entry has their id', async () => {
    const ledger = readTwo()
    await ledger.track(async () => ({ ids: ['3-0'], values: ['lost'] }))
    const other = entry('3-0')
    ledger.note(other)
    expect(ledger.lossIn(stateWith(other, 3, 0))).toMatchObject({ isBroken: true })
  })

  test('are lost where their id is given to the next one', async () => {
    const ledger = readTwo()
    await ledger.track(async () => ({ ids: ['3-0'], values: ['x'] }))
    await ledger.track(async () => ({ ids: ['3-0'], values: ['x'] }))
    const read = entry('3-0')
    ledger.note(read)
    expect(ledger.lossIn(stateWith(read, 3, 0))).toMatchObject({ isBroken: true })
  })

  test('are not awaited where the write failed', async () => {
    const ledger = readTwo()
    await expect(ledger.track(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(ledger.awaited()).toEqual([])
  })
})
