import { expect, test } from 'vitest'
import { describeConfig, redactUrl } from '../../src/config/redact.ts'
import { configOf, issuersLine } from '../support/settings.ts'

test.each([
  ['redis://redis:6379/0', 'redis://redis:6379/0'],
  ['rediss://user:hunter2@redis:6380/0', 'rediss://user:***@redis:6380/0'],
  ['redis://:hunter2@redis', 'redis://:***@redis'],
  ['redis://user@redis', 'redis://user@redis'],
  ['redis+sentinel://u:hunter2@a:1,b:2/main/0', 'redis+sentinel://u:***@a:1,b:2/main/0'],
  ['redis://u:hunt/er2@redis', '***'],
  ['redis://u:hunter2@x@redis', 'redis://u:***@redis'],
  ['u:hunter2@redis', '***'],
])('%s is shown as %s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown)
})

test('settings are described without the password, and left as they are', () => {
  const config = configOf(`${issuersLine}\nrevocation: { redis: 'redis://u:hunter2@redis:6379/0' }`)
  const described = describeConfig(config)
  expect(described.revocation.redis).toBe('redis://u:***@redis:6379/0')
  expect(JSON.stringify(described)).not.toContain('hunter2')
  expect({ ...described, revocation: config.revocation }).toEqual(config)
  expect(config.revocation.redis).toContain('hunter2')
})

test('settings without Redis are described as they are', () => {
  const config = configOf(issuersLine)
  expect(describeConfig(config)).toEqual(config)
})
