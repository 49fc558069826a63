// What does a token cost that is seen for the first time, against the bare verification of its signature by node:crypto? Both
// in turn on the same tokens, one at a time; processor time of all threads. Answers microseconds for each algorithm.
import { createHmac, timingSafeEqual, verify } from 'node:crypto'
import { isRefusal } from '../../src/model/refusal.ts'
import { goodClaims, hmacToken, makeKey, signToken, type TestKey } from '../../test/support/tokens.ts'
import { buildInProcess } from '../in-process.ts'
import { startSeconds } from '../rules.ts'

export interface FirstSightAnswer {
  readonly algorithm: string
  /** A member for each round. */
  readonly oursMicroseconds: readonly number[]
  readonly bareMicroseconds: readonly number[]
}

const ROUNDS = 6
const TOKENS_A_ROUND = 400
const RSA_PSS_PADDING = 6
const algorithms = ['ES256', 'RS256', 'PS256', 'EdDSA', 'HS256']
const secret = 'a secret of 32 bytes for HMACs !'

const issuers = algorithms.map((algorithm) => ({
  issuer: `https://${algorithm.toLowerCase()}.example.net`,
  algorithm,
  key: algorithm === 'HS256' ? secret : makeKey(algorithm),
}))
const { questions } = await buildInProcess(issuers)

const answers: FirstSightAnswer[] = []
for (const { issuer, algorithm, key } of issuers) {
  const ours: number[] = []
  const bare: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const tokens = Array.from({ length: TOKENS_A_ROUND }, (_, index) => {
      const jti = `${round}-${index}`
      const claims = goodClaims({ iss: issuer, jti, exp: startSeconds + 3600 }, startSeconds)
      return typeof key === 'string' ? hmacToken(key, claims) : signToken(key, claims)
    })
    const one = await used(async () => {
      for (const token of tokens) if (isRefusal(await questions.verify(token))) throw new Error(`Refused: ${algorithm}`)
    })
    const other = await used(async () => {
      for (const token of tokens) if (!isSigned(token, algorithm, key)) throw new Error(`Not signed: ${algorithm}`)
    })
    // The first round compiles
    if (round === 0) continue
    ours.push(one / TOKENS_A_ROUND)
    bare.push(other / TOKENS_A_ROUND)
  }
  answers.push({ algorithm, oursMicroseconds: ours, bareMicroseconds: bare })
}
process.send?.(answers)

/** Microseconds of processor. */
async function used(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function isSigned(token: string, algorithm: string, key: TestKey | string): boolean {
  const end = token.lastIndexOf('.')
  const data = Buffer.from(token.slice(0, end))
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  if (typeof key === 'string') return timingSafeEqual(createHmac('sha256', key).update(data).digest(), signature)
  const { publicKey } = key
  if (algorithm === 'EdDSA') return verify(null, data, publicKey, signature)
  if (algorithm === 'ES256') return verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
  if (algorithm === 'RS256') return verify('sha256', data, publicKey, signature)
  return verify('sha256', data, { key: publicKey, padding: RSA_PSS_PADDING, saltLength: 32 }, signature)
}
