// What does one decision on a remembered token cost, with so many rules in the list, so many routes (the last one covers the path)
// and so many issuers? Told by its arguments; answers nanoseconds. Every request brings its token as a new text, as
// the parser does: a text that was looked up before would know its hash.
import { isRefusal } from '../../src/model/refusal.ts'
import { goodClaims, makeKey, signToken } from '../../test/support/tokens.ts'
import { summarize } from '../figures.ts'
import { buildInProcess } from '../in-process.ts'
import { ruleOf, startSeconds } from '../rules.ts'

export interface DecisionAnswer {
  readonly medianNs: number
  readonly p99Ns: number
}

const TOKENS = 5_000
const WARM_UP = 100_000
const DECISIONS = 200_000

const [rules = 0, routes = 1, issuers = 1] = process.argv.slice(2).map(Number)
const key = makeKey('ES256')
const names = Array.from({ length: issuers }, (_, index) => `https://id-${index}.example.net`)
const lines = Array.from({ length: routes }, (_, index) => `  - { path: /area-${index + 1}/*, scopes: [read] }`)
const { policy, list } = await buildInProcess(
  names.map((issuer) => ({ issuer, algorithm: 'ES256', key })),
  `routes:\n${lines.join('\n')}\n`,
)
for (let index = 0; index < rules; index++) list.apply(ruleOf(index, startSeconds))

const authorizations = Array.from({ length: TOKENS }, (_, index) => {
  const more = { iss: names[index % issuers], jti: `own-${index}`, sub: `user-${index}`, scope: 'read write' }
  const claims = goodClaims({ ...more, exp: startSeconds + 3600 }, startSeconds)
  return Buffer.from(`Bearer ${signToken(key, claims)}`)
})
for (let index = 0; index < TOKENS; index++) await policy.decide(viewOf(index))

const nanoseconds: number[] = []
const costs: number[] = []
for (let count = 0; count < WARM_UP + DECISIONS; count++) {
  const view = viewOf(count)
  const start = process.hrtime.bigint()
  const decision = policy.decide(view)
  const end = process.hrtime.bigint()
  if (decision instanceof Promise || isRefusal(decision)) throw new Error('Cannot measure: a token is not remembered')
  if (count < WARM_UP) continue
  nanoseconds.push(Number(end - start))
  const empty = process.hrtime.bigint()
  costs.push(Number(process.hrtime.bigint() - empty))
}
const { median, p99 } = summarize(nanoseconds)
const clock = summarize(costs).median
process.send?.({ medianNs: median - clock, p99Ns: p99 - clock } satisfies DecisionAnswer)

function viewOf(count: number) {
  const authorization = authorizations[count % TOKENS]?.toString('latin1') ?? ''
  const headers = ['host', 'orders.example.com', 'authorization', authorization, 'accept', 'application/json']
  return { method: 'GET', path: `/area-${routes}/orders/1`, query: '', headers }
}
