import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readYaml } from '../../../src/config/sources/yaml.ts'
import { configOf, issuersLine, problemsOf } from '../../support/settings.ts'
import { sidegate } from '../../support/shell.ts'

describe('a text in YAML', () => {
  test.each([
    [
      'a list that does not end',
      'issuers: [',
      'sidegate.yaml:1:11: Cannot read YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['an IPv6 address without quotes', 'listen: [::]:8080', /^sidegate\.yaml:1:\d+: Cannot read YAML: /],
    ['a tab as indentation', 'log:\n\tlevel: info', /^sidegate\.yaml:2:\d+: Cannot read YAML: /],
    [
      'two documents',
      `${issuersLine}\n---\nmode: shadow`,
      'sidegate.yaml:2:1: Cannot read YAML: there is more than one document',
    ],
    [
      'a repeated setting',
      `${issuersLine}\nmode: shadow\nmode: enforce`,
      'sidegate.yaml:3:1: Repeated setting: each may be given once',
    ],
    [
      'a tag of its own',
      `${issuersLine}\nmode: !env MODE`,
      'sidegate.yaml:2:7: Cannot read YAML: tags such as "!env" are not known',
    ],
    [
      'a tag of YAML 1.1',
      `${issuersLine}\nrevocation: { list: !!binary aGk= }`,
      /^sidegate\.yaml:2:21: Cannot read YAML: tags/,
    ],
    [
      'a merge key',
      `x: &a { level: warn }\n${issuersLine}\nlog: { <<: *a }`,
      'sidegate.yaml:3:8: Refused merge key "<<": YAML 1.2 has none',
    ],
    [
      'another version',
      `%YAML 1.1\n---\n${issuersLine}\nforward: { stripToken: yes }`,
      'sidegate.yaml:1:1: Cannot read YAML 1.1: only 1.2 is known',
    ],
    [
      'a name that JavaScript treats in its own way',
      `${issuersLine}\nroutes: [{ path: /a, claims: { __proto__: x } }]`,
      'sidegate.yaml:2:32: Refused name "__proto__"',
    ],
    [
      'an alias without its anchor',
      `${issuersLine}\nmode: *nowhere`,
      'sidegate.yaml:2:7: Cannot read YAML: no anchor "nowhere" stands before its alias',
    ],
    [
      'an alias of itself',
      `${issuersLine}\nroutes: &r [*r]`,
      'sidegate.yaml:2:13 routes[0]: Expected a group of settings, got a list',
    ],
    [
      'parts in parts without end',
      `a: ${'['.repeat(5000)}`,
      'sidegate.yaml:1:1: Cannot read YAML: its parts are nested too deeply',
    ],
    ['a list instead of a group', '- a', 'sidegate.yaml:1:1: Expected a group of settings, got a list'],
  ])('with %s is refused at its place', (_, text, line) => {
    const lines = problemsOf(text)
    if (typeof line === 'string') expect(lines).toContain(line)
    else expect(lines[0]).toMatch(line)
  })

  test('that is broken is told about once, without guesses at what is missing', () => {
    expect(problemsOf('upstream: "http://x\nmode: shado')).toHaveLength(1)
  })

  test('larger than 1 MiB is not read', () => {
    expect(problemsOf(`${issuersLine}\n# ${'x'.repeat(1_048_576)}`)).toEqual([
      expect.stringMatching(/^sidegate\.yaml:1:1: Expected at most 1048576 bytes, got \d+$/),
    ])
  })

  test('whose aliases stand for gigabytes costs nothing', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 12; level++)
      lines.push(
        `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
      )
    const started = performance.now()
    expect(problemsOf(lines.join('\n'))[0]).toBe(
      'sidegate.yaml:1:1: Cannot read YAML: its aliases go in circles or stand for too much',
    )
    expect(performance.now() - started).toBeLessThan(2000)
  })

  test('may use anchors, and a problem in one is told where it stands', () => {
    const issuer = '{ audiences: &all [orders], issuer: a, keys: { jwksFile: /j } }'
    expect(
      configOf(`issuers: [${issuer}, { audiences: *all, issuer: b, keys: { jwksFile: /j } }]`).issuers[1]?.audiences,
    ).toEqual(['orders'])
  })

  test('has the words of YAML 1.2: yes, no, on and off are texts, and 0123 is a number', () => {
    expect(readYaml('[yes, no, on, off, 1_000, 0x10, 12:30:45, 2024-01-01, ~]').value).toEqual([
      'yes',
      'no',
      'on',
      'off',
      '1_000',
      16,
      '12:30:45',
      '2024-01-01',
      null,
    ])
  })

  test('may begin with a byte order mark', () => {
    expect(configOf(`\ufeff${issuersLine}\r\nmode: shadow\r\n`).mode).toBe('shadow')
  })

  test.each(['', '\n', '# nothing\n', '---\n', '{}'])('%j is empty settings', (text) => {
    expect(problemsOf(text)).toEqual([
      expect.stringMatching(/^sidegate\.yaml:1:\d issuers: Missing setting, give a list of at least one issuer$/),
    ])
  })
})

test('nothing that can be typed throws', () => {
  const pieces = [
    'issuers:',
    ' - ',
    '{',
    '}',
    '[',
    ']',
    'a',
    ': ',
    '\n',
    '&a ',
    '*a',
    '"',
    "'",
    '? ',
    '!!map ',
    '|',
    '>',
    '%',
    '---',
    '\t',
    '1',
    'null',
    'refresh',
    'key',
    '\u0000',
    '<<',
  ]
  let seed = 1
  const next = (bound: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % bound
  }
  for (let round = 0; round < 2000; round++) {
    const text = Array.from({ length: next(12) + 1 }, () => pieces[next(pieces.length)]).join('')
    expect(problemsOf(text).length, JSON.stringify(text)).toBeGreaterThan(0)
  }
})

describe('a settings file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-yaml-'))
  const path = join(folder, 'sidegate.yaml')
  afterAll(() => rmSync(folder, { recursive: true }))
  const check = (bytes: Buffer) => {
    writeFileSync(path, bytes)
    return sidegate(['check', '--config', path])
  }
  const secret = join(folder, 'secret')
  writeFileSync(secret, 'a-shared-secret-that-is-long-enough-0123456789')
  const lines = [
    'issuers:',
    '  - issuer: https://id.example.com',
    '    audiences: [orders]',
    '    algorithms: [HS256]',
    `    keys: { secretFile: ${secret} }`,
    '',
  ]

  test.each([
    ['with the line ends of Windows', lines.join('\r\n')],
    ['with a byte order mark', `\ufeff${lines.join('\n')}`],
  ])('%s is read', async (_, text) => {
    expect(await check(Buffer.from(text))).toMatchObject({ exitCode: 0, complained: [] })
  })

  test('in UTF-16 is refused by name', async () => {
    const { complained, exitCode } = await check(Buffer.from(`\ufeff${lines.join('\n')}`, 'utf16le'))
    expect(complained.join()).toContain(`Cannot read "${path}": it is not UTF-8, save it as UTF-8`)
    expect(exitCode).toBe(1)
  })

  test('that holds comments alone lacks issuers', async () => {
    expect((await check(Buffer.from('\n# nothing\n'))).complained.join()).toContain('issuers: Missing setting')
  })

  test('with one bracket too many says so in a few lines', async () => {
    const { complained } = await check(Buffer.from(`${lines.join('\n')}routes: ]\n${'x: ]\n'.repeat(1000)}`))
    expect(complained.length).toBeLessThan(25)
    expect(complained.join()).toContain('sidegate.yaml:6:9: Cannot read YAML')
  })
})
