import { describe, expect, test } from 'vitest'
import { changeKeys } from '../../src/config/key-edit.ts'
import { readYaml } from '../../src/config/sources/yaml.ts'

const add = { privateKeyFile: '/k/new.pem', algorithm: 'ES256', keyId: 'k2', active: '2026-12-01T10:00:00Z' }

describe('adding a key to a settings file', () => {
  test('keeps every comment, the order and what is not about the refresh', () => {
    const text = `# top
listen: 127.0.0.1:0   # odd    spacing
issuers:
    - issuer: https://id.example.com   # indented by four
      audiences: [orders]

# about the refresh
refresh:
    # about the window
    window: 60s # behind the window
    # about the key
    key:
        # about the file
        privateKeyFile: /k/signing.pem # behind the file
        algorithm: ES256
        keyId: "k1"
    # about the lifetime
    lifetime: 5m
    # at the end of the refresh

# about the log
log: { level: info }
`
    expect(changeKeys(text, { add })).toBe(
      text.replace(
        / {4}key:[\s\S]*"k1"\n/,
        `    keys:
        # about the file
        - privateKeyFile: /k/signing.pem # behind the file
          algorithm: ES256
          keyId: "k1"
          active: true
        - privateKeyFile: /k/new.pem
          algorithm: ES256
          keyId: k2
          active: 2026-12-01T10:00:00Z
`,
      ),
    )
  })

  test('writes it in the style of the key before', () => {
    const text = `refresh:
  key: { privateKeyFile: /k.pem, algorithm: ES256, keyId: k1 } # the key
  window: 60s`
    expect(changeKeys(text, { add })).toBe(`refresh:
  keys:
    - { privateKeyFile: /k.pem, algorithm: ES256, keyId: k1, active: true } # the key
    - { privateKeyFile: /k/new.pem, algorithm: ES256, keyId: k2, active: 2026-12-01T10:00:00Z }
  window: 60s
`)
  })

  test('adds to a list that is there', () => {
    const text = `refresh:
  keys:
    # the first
    - { privateKeyFile: /a.pem, algorithm: ES256, keyId: k0 }
    # the second
    - privateKeyFile: /b.pem
      algorithm: ES256
      keyId: k1
      active: true
mode: enforce # at the end
`
    expect(changeKeys(text, { add })).toBe(
      text.replace(
        'mode:',
        `    - privateKeyFile: /k/new.pem
      algorithm: ES256
      keyId: k2
      active: 2026-12-01T10:00:00Z
mode:`,
      ),
    )
  })

  test('leaves JSON what it is', () => {
    const text = '{ "refresh": { "key": { "secretFile": "/s", "algorithm": "HS256" } }, "log": { "level": "info" } }'
    const changed = changeKeys(text, { add, presentKeyId: 'k1' }) ?? ''
    const before = { secretFile: '/s', algorithm: 'HS256', keyId: 'k1', active: true }
    expect(JSON.parse(changed)).toEqual({ refresh: { keys: [before, add] }, log: { level: 'info' } })
  })

  test('names a key that had no name, in quotes where the name is no word', () => {
    const text = 'refresh:\n  key: { secretFile: /s, algorithm: HS256 }\n'
    expect(changeKeys(text, { add, presentKeyId: '-12' })).toContain(
      '- { secretFile: /s, algorithm: HS256, keyId: "-12", active: true }',
    )
  })

  test('writes the whole file anew where the refresh refers to another part of it', () => {
    const text = `# top
tokens: { sources: [{ header: &name x-token }] }
refresh:
    key: { privateKeyFile: /k.pem, algorithm: ES256, keyId: k1 }
    header: *name # the same
`
    const changed = changeKeys(text, { add }) ?? ''
    const before = { privateKeyFile: '/k.pem', algorithm: 'ES256', keyId: 'k1', active: true }
    expect(readYaml(changed).value).toEqual({
      tokens: { sources: [{ header: 'x-token' }] },
      refresh: { keys: [before, add], header: 'x-token' },
    })
    expect(changed).toContain('# top')
    expect(changed).toContain('# the same')
  })

  test.each([
    ['a key that is an alias', 'key: &key { secretFile: /s, algorithm: HS256 }\nrefresh: { key: *key }\n'],
    ['a refresh that is an alias', 'other: &all { key: { secretFile: /s } }\nrefresh: *all\n'],
    ['no refresh', 'log: { level: info }\n'],
    ['no key', 'refresh: { window: 60s }\n'],
    ['no settings', ''],
  ])('answers nothing for %s', (_, text) => {
    expect(changeKeys(text, { add })).toBeUndefined()
  })
})

describe('taking keys out of a settings file', () => {
  const text = `# top
refresh:
  keys:
    - { privateKeyFile: /a.pem, algorithm: ES256, keyId: k0, active: true } # the old one
    # the newer one
    - { privateKeyFile: /b.pem, algorithm: ES256, keyId: k1, active: 1700000000 }
    - { publicKeyFile: /c.pem, algorithm: ES256, keyId: k2 }
# end
`
  test('leaves the others as they are', () => {
    expect(changeKeys(text, { drop: [0, 2] })).toBe(`# top
refresh:
  keys:
    # the newer one
    - { privateKeyFile: /b.pem, algorithm: ES256, keyId: k1, active: 1700000000 }
# end
`)
  })

  test('is not possible where there is no list', () => {
    expect(changeKeys('refresh: { key: { secretFile: /s, algorithm: HS256 } }', { drop: [0] })).toBeUndefined()
  })
})
