import { describe, expect, it } from 'vitest'
import { readTokenArgument } from '../../../src/commands/token/pasted-token.ts'

const token = 'eyJh.eyJz.c2ln'

describe('a token as people paste it', () => {
  it.each([
    token,
    `  ${token}\n`,
    `Bearer ${token}`,
    `bearer  ${token}`,
    `"${token}"`,
    `'Bearer ${token}'`,
    `Authorization: Bearer ${token}`,
    `Bearer "${token}"`,
  ])('%s', (given) => expect(readTokenArgument(given)).toEqual({ token }))

  it.each([
    ['', 'empty'],
    ['  ', 'empty'],
    ['""', 'empty'],
    ['Bearer', 'empty'],
    [`${token} ${token}`, 'white space'],
    ['eyJh.\neyJz.c2ln', 'white space'],
    ['eyJh…', 'cut short'],
  ])('%j is none, and the sentence says why', (given, why) => {
    expect(readTokenArgument(given)).toEqual({ problem: expect.stringContaining(why) })
  })
})
