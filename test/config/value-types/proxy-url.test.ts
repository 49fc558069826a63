// The setting `outbound.proxy`: what it may be, and that no message shows a password.
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { describeConfig } from '../../../src/config/redact.ts'
import { configOf, issuersLine } from '../../support/settings.ts'

const withProxy = (proxy: string) => `${issuersLine}\noutbound: { proxy: ${JSON.stringify(proxy)} }`
const messagesFor = (proxy: string) => {
  const loaded = loadConfig({ file: { path: 'f.yaml', text: withProxy(proxy) }, environment: {}, flags: {} })
  return 'problems' in loaded ? loaded.problems.map(({ message }) => message).join('\n') : ''
}

describe('outbound.proxy', () => {
  it('is "env" where nothing is said', () => expect(configOf(issuersLine).outbound.proxy).toBe('env'))

  for (const proxy of ['none', 'env', 'http://proxy:3128', 'https://u:p%40@proxy.example.com', 'http://[fd00::1]:3128'])
    it(`may be ${proxy}`, () => expect(configOf(withProxy(proxy)).outbound.proxy).toBe(proxy))

  const wrong: Record<string, string> = {
    'socks5://u:hunter2@proxy:1080': 'Expected a proxy that is spoken to by http or https',
    'http://u:hunter2@proxy:3128/path': 'Expected "none", "env" or the URL of a proxy',
    'http://u:hunt/er2@proxy': 'Expected "none", "env" or the URL of a proxy',
    'http://u:hunter2%zz@proxy': 'Expected user and password in percent-encoding',
    'http://proxy:99999': 'Expected a proxy as "host:port"',
    'http://pro_xy:hunter2': 'Expected a proxy as "host:port"',
    '': 'Expected "none", "env" or the URL of a proxy',
  }
  for (const [proxy, message] of Object.entries(wrong))
    it(`may not be ${proxy || 'empty'}`, () => {
      expect(messagesFor(proxy)).toContain(message)
      expect(messagesFor(proxy)).not.toContain('hunter2')
    })

  it('is shown without user and password', () => {
    const shown = (proxy: string) => describeConfig(configOf(withProxy(proxy))).outbound.proxy
    expect(shown('http://u:hunter2@proxy:3128')).toBe('http://***@proxy:3128')
    expect(shown('http://token@proxy:3128')).toBe('http://***@proxy:3128')
    expect([shown('none'), shown('env')]).toEqual(['none', 'env'])
  })
})
