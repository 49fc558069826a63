// How much memory does a remembered token take, as its text, its claims and its entry? Answers bytes.
import { setTimeout as sleep } from 'node:timers/promises'
import { isRefusal } from '../../src/model/refusal.ts'
import { goodClaims, makeKey, signToken } from '../../test/support/tokens.ts'
import { buildInProcess } from '../in-process.ts'
import { startSeconds } from '../rules.ts'

export interface TokenMemoryAnswer {
  readonly bytes: number
  /** Of the text of such a token. */
  readonly characters: number
}

const WARM_UP = 1_000
const TOKENS = 10_000

const key = makeKey('ES256')
const issuer = 'https://id.example.com'
const { questions, memory } = await buildInProcess([{ issuer, algorithm: 'ES256', key }])
let characters = 0
await see(0, WARM_UP)
const before = await heldBytes()
const known = memory.size()
await see(WARM_UP, TOKENS)
process.send?.({
  bytes: ((await heldBytes()) - before) / (memory.size() - known),
  characters,
} satisfies TokenMemoryAnswer)

async function see(first: number, count: number): Promise<void> {
  for (let index = first; index < first + count; index++) {
    const claims = { jti: `own-${index}`, sub: `user-${index}`, scope: 'read write', exp: startSeconds + 3600 }
    const token = signToken(key, goodClaims(claims, startSeconds))
    characters = token.length
    if (isRefusal(await questions.verify(token))) throw new Error('Cannot measure: a token is refused')
  }
}

async function heldBytes(): Promise<number> {
  for (let times = 0; times < 4; times++) {
    globalThis.gc?.()
    await sleep(20)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
