// What `check` takes for the URL of Redis must start: the reader that connects takes it too, and so does the client.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { redisUrl } from '../../../src/config/value-types/addresses.ts'
import { parseRedisUrl } from '../../../src/redis/address.ts'
import { fuzz, pieces } from '../../support/fuzz.ts'
import { issuersLine, problemsOf } from '../../support/settings.ts'

const settings = (url: string) => `${issuersLine}\nrevocation: { redis: ${JSON.stringify(url)} }`
const isTaken = (text: string) => redisUrl().safeParse(text).success

const scheme = fc.constantFrom(
  'redis',
  'rediss',
  'redis+sentinel',
  'rediss+cluster',
  'redis+cluster',
  'rediss+sentinel',
)
const credentials = fc.oneof(
  fc.constant(''),
  pieces(6, 'u', ':', '%', '%zz', '%2', '%2F', '%ff', '%c3%a9', '?', '#', 'é', '/', '@', '+').map((text) => `${text}@`),
)
const host = fc.constantFrom(
  ...[
    'h',
    'h.example',
    'h_1',
    '10.0.0.1',
    '999.1.1.1',
    '1.2',
    '[::1]',
    '[::ffff:1.2.3.4]',
    '[:::1]',
    '[1.2.3.4]',
    '::1',
    '%41',
    '',
  ],
)
const port = fc.constantFrom('', '', ':6379', ':0', ':1', ':65535', ':65536', ':99999', ':06379', ':x', ':')
const hosts = fc.array(
  fc.tuple(host, port).map((parts) => parts.join('')),
  { minLength: 1, maxLength: 3 },
)
const path = pieces(3, '/', '0', '15', '99999', 'mymaster', 'a%20b', '%zz', '/0', '?x=1', '-', '.')
const url = fc
  .tuple(scheme, credentials, hosts, path)
  .map(([form, who, places, end]) => `${form}://${who}${places.join(',')}${end}`)

fuzz(
  'every URL that is taken is read by who connects, with ports that exist',
  20_000,
  fc.property(url, (text) => {
    if (!isTaken(text)) return
    const { nodes, database } = parseRedisUrl(text)
    for (const node of nodes) expect(node.port).toBeLessThan(65_536)
    expect(Number.isInteger(database)).toBe(true)
  }),
)

test.each([
  'redis://redis:6379/0',
  'rediss://user:p%25ss@redis.example:6380',
  'redis://:secret@[::1]:6379/15',
  'redis+sentinel://:secret@a:26379,b/mymaster/0',
  'rediss+cluster://a:6379,[fd00::1]:6379',
])('%s is taken', (text) => {
  expect(isTaken(text)).toBe(true)
  expect(() => parseRedisUrl(text)).not.toThrow()
  expect(problemsOf(`${settings(text)}\nmode: off`)).toHaveLength(1)
})

describe('what is refused says what would be right, and quotes nothing', () => {
  const password =
    'Expected a password in which "%" is written as %25, as well as "/", "@", "?" and "#" as %2F, %40, %3F and %23'
  const hostForm =
    'Expected hosts as "host:port", ports from 1 to 65535, with "/", "@" and "#" in a password written as %2F, %40 and %23'
  test.each([
    ['redis://u:p%zz@h/0', password],
    ['redis://u:p%ff@h/0', password],
    ['redis://h:99999/0', hostForm],
    ['redis://[:::1]:6379', hostForm],
    ['redis://10.0.0.256:6379', hostForm],
  ])('%s', (text, line) => {
    expect(problemsOf(settings(text))).toEqual([expect.stringContaining(`revocation.redis: ${line}`)])
  })
  test.each([
    ['redis:6379', 'begin it with "redis://"'],
    ['redis-sentinel://h/name', 'begin it with "redis+sentinel://" or "rediss+sentinel://"'],
    ['redis://h?db=1', 'without "?" and what follows it'],
    ['unix:///run/redis.sock', 'sockets of the file system are not supported'],
  ])('%s', (text, hint) => {
    const [line, ...more] = problemsOf(settings(text))
    expect(more).toEqual([])
    expect(line?.endsWith(`, ${hint}`)).toBe(true)
  })
})
