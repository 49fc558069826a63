// Which settings wait for a start, which do not, and that each of them says so.
import { expect, it } from 'vitest'
import { keepUntilRestart } from '../../../src/assembly/settings/restart-settings.ts'
import { settingRows } from '../../../src/config/sources/flags.ts'
import { configOf, issuersLine } from '../../support/settings.ts'

const keep = (before: string, after: string) =>
  keepUntilRestart(configOf(`${issuersLine}\n${before}`), configOf(`${issuersLine}\n${after}`))
const changed = (before: string, after: string) => keep(before, after).waiting
const tls = (more = '') => `tls: { certFile: /c, keyFile: /k${more} }`

it('each setting says in the table what a running gate does with a change', () => {
  const silent = settingRows.filter(({ isGroup, onChange }) => !isGroup && onChange === undefined)
  expect(silent.map(({ name }) => name)).toEqual([])
})

it('a certificate in another file is taken over at once', () => {
  expect(changed(tls(), 'tls: { certFile: /c2, keyFile: /k2 }')).toEqual([])
  expect(changed(tls(', clientCaFile: /a'), tls(', clientCaFile: /b'))).toEqual([])
})

it('whether there is TLS, and whether clients are asked for a certificate, is settled at the start', () => {
  expect(changed('', tls())).toEqual(['tls'])
  expect(changed(tls(), '')).toEqual(['tls'])
  expect(changed(tls(), tls(', clientCaFile: /a'))).toEqual(['tls.clientCaFile'])
  expect(changed(tls(', clientCaFile: /a'), tls())).toEqual(['tls.clientCaFile'])
  expect(keep(tls(', clientCaFile: /a'), tls()).config.tls?.clientCaFile).toBe('/a')
  expect(keep('', tls()).config).not.toHaveProperty('tls')
})

it('the number of workers is settled at the start', () => {
  expect(changed('', 'workers: 2')).toEqual(['workers'])
})

it('a setting that waits keeps its value, and those beside it change', () => {
  const before = 'revocation: { redis: "redis://a", list: one }\nlimits: { maxConnections: 5, bodyBytes: 1 }'
  const after = 'revocation: { list: two, whenStale: allow }\nlimits: { maxConnections: 6, bodyBytes: 2 }'
  const { config, waiting } = keep(before, after)
  expect(waiting).toEqual(['revocation.redis', 'revocation.list', 'revocation.whenStale', 'limits.maxConnections'])
  expect(config.revocation).toMatchObject({ redis: 'redis://a', list: 'one', whenStale: 'deny' })
  expect(config.limits).toMatchObject({ maxConnections: 5, bodyBytes: 2 })
})
