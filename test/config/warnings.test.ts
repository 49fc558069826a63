// Settings that work as written, but probably not as meant: a warning, and no problem.
import { expect, test } from 'vitest'
import { issuersLine, load, problemsOf, warningsOf } from '../support/settings.ts'

test('ranges of proxies that hold every client', () => {
  expect(warningsOf(`${issuersLine}\nforward: { trustedProxies: [10.0.0.0/8, 0.0.0.0/0] }`)).toEqual([
    'sidegate.yaml:2:41 forward.trustedProxies[1]: Every client is believed to be a proxy: "0.0.0.0/0" holds all addresses, name the addresses of the proxies in front alone',
  ])
})

test('a warning is told beside problems, and is none of them', () => {
  const text = `${issuersLine}\nforward: { trustedProxies: ['::/0'] }\nmode: off`
  expect(problemsOf(text)).toHaveLength(1)
  expect(load(text).warnings).toHaveLength(1)
})
