// Mistakes on the command line: one clear line, exit code 2, and never a token or a password repeated.
import { describe, expect, test } from 'vitest'
import { sidegate, signatureOf } from '../support/shell.ts'
import { goodClaims, makeKey, signToken } from '../support/tokens.ts'

const redis = ['--redis', 'redis://127.0.0.1:1']
const token = signToken(makeKey(), goodClaims())

const mistakes: Record<string, readonly [given: readonly string[], message: string]> = {
  'an unknown command': [['chek'], 'Unknown command "chek", did you mean "check"'],
  'a command unlike any': [
    ['frobnicate'],
    'Unknown command "frobnicate", known are: run, health, demo, check, explain, revoke, revocations, token, keys, inject, doctor, injector, schema, completion',
  ],
  'an unknown flag': [['check', '--upstrem', 'x'], 'Unknown flag --upstrem, did you mean --upstream'],
  'an unknown flag with "="': [['check', '--upstrem=x'], 'Unknown flag --upstrem, did you mean --upstream'],
  'an unknown flag of the default command': [['--lissen', 'x'], 'Unknown flag --lissen, did you mean --listen'],
  'an unknown flag unlike any': [['demo', '--frobnicate'], 'Unknown flag --frobnicate'],
  'a flag without its value': [
    ['revoke', ...redis, '--jti'],
    '--jti needs a value; one that begins with a dash goes after "="',
  ],
  'a flag given twice': [['revoke', ...redis, '--jti', 'a', '--jti', 'b'], '--jti is given 2 times; give it once'],
  'a flag of several words given twice': [
    ['revoke', ...redis, '--key-id', 'a', '--key-id', 'b'],
    '--key-id is given 2 times; give it once',
  ],
  'an argument too many': [['run', 'x'], 'Unexpected argument "x"'],
  'no token to explain': [['explain'], 'Missing argument: got 0, need 1'],
  'no settings to explain with': [['explain', token], 'Missing --config'],
  'no token to inspect': [['token', 'inspect'], 'Missing argument: got 0, need 1'],
  'half a command, token': [['token'], 'Give one of: mint, inspect'],
  'half a command, revocations': [['revocations'], 'Give one of: list, lift, import'],
  'half a command, keys': [['keys'], 'Give one of: generate, rotate'],
  'no folder for the keys': [['keys', 'generate'], 'Missing --out'],
  'a symmetric algorithm for a key pair': [
    ['keys', 'generate', '--out', 'x', '--algorithm', 'HS256'],
    'Expected --algorithm to be one of ES256, ES384, ES512, EdDSA, Ed25519, RS256, RS384, RS512, PS256, PS384, PS512, got "HS256"',
  ],
  'a kind of rule that is none': [
    ['revocations', 'lift', 'user', 'alice', ...redis],
    'Expected <kind> to be one of token, subject, session, client, key, issuer, got "user"',
  ],
  'a lift without a value': [['revocations', 'lift', 'token', ...redis], 'Missing argument: got 1, need 2'],
  'a lift of a whole token': [
    ['revocations', 'lift', 'token', token, ...redis],
    'The value is the id that "revocations list" shows, such as the jti of the token, not the token itself',
  ],
  'no list to revoke in': [['revoke', '--jti', 'a'], 'Give --config, or --redis with the URL of the list'],
  'no list to print': [['revocations', 'list'], 'Give --config, or --redis with the URL of the list'],
  'two lists to revoke in': [
    ['revoke', '--jti', 'a', '--config', 'sidegate.yaml', ...redis],
    'Give --config or --redis, not both',
  ],
  'nothing to revoke': [
    ['revoke', ...redis],
    'Say what to revoke: --token, --jti, --subject, --session, --client, --key-id or --issuer',
  ],
  'two things to revoke': [
    ['revoke', '--jti', 'a', '--key-id', 'b', ...redis],
    'Give one of --jti, --key-id, not 2 of them',
  ],
  'a time in words': [
    ['revoke', '--jti', 'a', '--issued-before', 'tomorrow', ...redis],
    '--issued-before is not ISO 8601 with a time zone, unix seconds or "now": "tomorrow"',
  ],
  'a time without a zone': [
    ['revoke', '--jti', 'a', '--expires', '2027-01-01T10:00:00', ...redis],
    '--expires is not ISO 8601 with a time zone, unix seconds or "now": "2027-01-01T10:00:00"',
  ],
  'a token without --token': [
    ['revoke', token, ...redis],
    'There is a token where none is expected; "revoke" takes it by --token',
  ],
  'two tokens to explain': [
    ['explain', '-c', 'x', token, token],
    'There is a token where none is expected; "revoke" takes it by --token',
  ],
  'a token for a command': [
    [token],
    'Unknown command (a token), known are: run, health, demo, check, explain, revoke, revocations, token, keys, inject, doctor, injector, schema, completion',
  ],
  'a URL with a password in the wrong place': [
    ['revoke', 'redis://alice:geheim@redis'],
    'Unexpected argument (not shown here)',
  ],
  'a password for a kind': [
    ['revocations', 'lift', 'redis://alice:geheim@redis', 'a', ...redis],
    'Expected <kind> to be one of token, subject, session, client, key, issuer, got (not shown here)',
  ],
}

describe('a mistake on the command line is told in one line and answers 2', () => {
  test.each(Object.entries(mistakes))('%s', async (_, [given, message]) => {
    const ran = await sidegate(given)
    expect(ran.complained).toEqual([message, 'Run with --help for usage'])
    expect(ran.printed).toEqual([])
    expect(ran.exitCode).toBe(2)
    expect(ran.text).not.toContain(signatureOf(token))
    expect(ran.text).not.toContain('geheim')
  })
})

test('a mistake reads the same whatever language the environment asks for', async () => {
  const before = process.env.LC_ALL
  process.env.LC_ALL = 'de_DE.UTF-8'
  try {
    expect((await sidegate(['explain'])).complained[0]).toBe('Missing argument: got 0, need 1')
  } finally {
    if (before === undefined) delete process.env.LC_ALL
    else process.env.LC_ALL = before
  }
})

test('sidegate schema prints a JSON Schema that knows every group', async () => {
  const { exitCode, printed } = await sidegate(['schema'])
  const schema = JSON.parse(printed.join('\n')) as { properties: Record<string, unknown>; required: string[] }
  expect(Object.keys(schema.properties)).toEqual(
    expect.arrayContaining(['listen', 'upstream', 'issuers', 'revocation', 'refresh', 'limits', 'mode', 'log']),
  )
  expect(schema.required).toEqual(['issuers'])
  expect(exitCode).toBe(0)
})
