// What several workers say as one.
import { expect, it } from 'vitest'
import { mergeChecks } from '../../src/workers/aggregate-metrics.ts'
import { shareOf } from '../../src/workers/share-of-limits.ts'
import { restartDelayMs } from '../../src/workers/supervisor.ts'
import { configOf, issuersLine } from '../support/settings.ts'

const good = [{ name: 'keys', missing: undefined, detail: '2 keys' }]
const bad = [{ name: 'keys', missing: 'no keys yet' }]

const expected = (count: number, wasReady = false) => ({ count, settingsVersion: 3, wasReady })
const checkOf = (name: string, ...given: Parameters<typeof mergeChecks>) =>
  mergeChecks(...given).find((check) => check.name === name)

it('all is well where every worker says so, in one sentence', () => {
  expect(
    mergeChecks(expected(2), [
      { worker: 1, checks: good, settingsVersion: 3 },
      { worker: 2, checks: good, settingsVersion: 3 },
    ]),
  ).toEqual([
    { name: 'keys', missing: undefined, detail: '2 keys' },
    { name: 'workers', missing: undefined, detail: '2 run' },
    { name: 'settings', missing: undefined, detail: undefined },
  ])
})

it('what one worker lacks is missing, until the gate was ready once', () => {
  const answers = [
    { worker: 1, checks: good },
    { worker: 2, checks: bad },
  ]
  expect(checkOf('keys', expected(2), answers)?.missing).toBe('no keys yet')
  expect(checkOf('keys', expected(2, true), answers)).toMatchObject({ missing: undefined, detail: 'no keys yet' })
  const allBad = answers.map(({ worker }) => ({ worker, checks: bad }))
  expect(checkOf('keys', expected(2, true), allBad)?.missing).toBe('no keys yet')
})

it('a worker that is away, or silent, is missing', () => {
  const missing = (...given: Parameters<typeof mergeChecks>) => checkOf('workers', ...given)?.missing
  const silent = [
    { worker: 1, checks: good },
    { worker: 5, checks: undefined },
  ]
  expect(missing(expected(2), [{ worker: 1, checks: good }])).toBe('1 of 2 workers run')
  expect(missing(expected(2), silent)).toBe('worker 5 does not answer')
  expect(missing(expected(2), [])).toBe('0 of 2 workers run')
})

it('of a gate that was ready, one that is away is told, and one that is silent is missing', () => {
  const one = checkOf('workers', expected(2, true), [{ worker: 1, checks: good }])
  expect(one).toEqual({ name: 'workers', missing: undefined, detail: '1 of 2 workers run' })
  expect(checkOf('workers', expected(2, true), [])?.missing).toBe('0 of 2 workers run')
  const silent = [
    { worker: 1, checks: good },
    { worker: 5, checks: undefined },
  ]
  expect(checkOf('workers', expected(2, true), silent)?.missing).toBe('worker 5 does not answer')
})

it('one worker that drains makes the pod unready, also after it was ready', () => {
  const draining = [{ name: 'draining', missing: 'the gate is shutting down' }]
  const answers = [
    { worker: 1, checks: draining },
    { worker: 2, checks: [{ name: 'draining', missing: undefined }] },
  ]
  expect(checkOf('draining', expected(2, true), answers)?.missing).toBe('the gate is shutting down')
})

it('a worker with other settings is named', () => {
  const answers = [
    { worker: 1, checks: good, settingsVersion: 3 },
    { worker: 4, checks: good, settingsVersion: 2 },
  ]
  expect(checkOf('settings', expected(2), answers)?.detail).toBe('worker 4 has other settings than the first process')
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
