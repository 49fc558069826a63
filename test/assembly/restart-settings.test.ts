// Which changed settings wait for a start, and which do not.
import { expect, it } from 'vitest'
import { restartSettings } from '../../src/assembly/restart-settings.ts'
import { configOf, issuersLine } from '../support/settings.ts'

const changed = (before: string, after: string) =>
  restartSettings(configOf(`${issuersLine}\n${before}`), configOf(`${issuersLine}\n${after}`))
const tls = (more = '') => `tls: { certFile: /c, keyFile: /k${more} }`

it('a certificate in another file is taken over at once', () => {
  expect(changed(tls(), 'tls: { certFile: /c2, keyFile: /k2 }')).toEqual([])
  expect(changed(tls(', clientCaFile: /a'), tls(', clientCaFile: /b'))).toEqual([])
})

it('whether there is TLS, and whether clients are asked for a certificate, is settled at the start', () => {
  expect(changed('', tls())).toEqual(['tls'])
  expect(changed(tls(), '')).toEqual(['tls'])
  expect(changed(tls(), tls(', clientCaFile: /a'))).toEqual(['tls.clientCaFile'])
  expect(changed(tls(', clientCaFile: /a'), tls())).toEqual(['tls.clientCaFile'])
})

it('the number of workers is settled at the start', () => {
  expect(changed('', 'workers: 2')).toEqual(['workers'])
})
