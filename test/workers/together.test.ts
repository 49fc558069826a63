// What several workers say as one.
import { expect, it } from 'vitest'
import { shareOf } from '../../src/workers/share.ts'
import { restartDelayMs } from '../../src/workers/supervisor.ts'
import { mergeChecks } from '../../src/workers/together.ts'
import { configOf, issuersLine } from '../support/settings.ts'

const good = [{ name: 'keys', missing: undefined, detail: '2 keys' }]
const bad = [{ name: 'keys', missing: 'no keys yet' }]

it('all is well where every worker says so, in one sentence', () => {
  expect(
    mergeChecks(2, [
      { worker: 1, checks: good },
      { worker: 2, checks: good },
    ]),
  ).toEqual([
    { name: 'keys', missing: undefined, detail: '2 keys' },
    { name: 'workers', missing: undefined, detail: '2 run' },
  ])
})

it('what one worker lacks is missing', () => {
  const [keys] = mergeChecks(2, [
    { worker: 1, checks: good },
    { worker: 2, checks: bad },
  ])
  expect(keys?.missing).toBe('no keys yet')
})

it('a worker that is away, or silent, is missing', () => {
  const missing = (...given: Parameters<typeof mergeChecks>) => mergeChecks(...given).at(-1)?.missing
  expect(missing(2, [{ worker: 1, checks: good }])).toBe('1 of 2 workers run')
  expect(
    missing(2, [
      { worker: 1, checks: good },
      { worker: 5, checks: undefined },
    ]),
  ).toBe('worker 5 does not answer')
  expect(missing(2, [])).toBe('0 of 2 workers run')
})

it('the next start waits longer from one short life to the next, and never longer than ten seconds', () => {
  expect([0, 1, 2, 3, 7, 8, 9, 2000].map(restartDelayMs)).toEqual([0, 100, 200, 400, 6400, 10_000, 10_000, 10_000])
})

it('bounds of the pod are divided, rounded up, and 0 stays 0', () => {
  const whole = configOf(
    `${issuersLine}\nlimits: { maxConnections: 10, upstreamConnections: 1, bodyBytes: 7 }\nlog: { refusedPerSecond: 0 }\n`,
  )
  const { limits, log, ...rest } = shareOf(whole, 4)
  expect(limits).toEqual({ ...whole.limits, maxConnections: 3, upstreamConnections: 1 })
  expect(log).toEqual(whole.log)
  expect({ ...whole, ...rest }).toEqual(whole)
})
