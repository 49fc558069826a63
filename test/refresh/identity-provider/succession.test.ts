import { describe, expect, it } from 'vitest'
import { objectionTo } from '../../../src/refresh/identity-provider/succession.ts'
import { NOW_SECONDS, verifiedToken } from '../../support/tokens.ts'

const policy = { windowSeconds: 60, lifetimeSeconds: 300, maxSessionSeconds: 3600 }
const before = {
  sub: 'alice',
  sid: 's-1',
  auth_time: NOW_SECONDS - 500,
  aud: ['orders', 'billing'],
  scope: 'read write',
  cnf: { jkt: 'x' },
  exp: NOW_SECONDS + 30,
}
const after = { ...before, jti: 'token-2', exp: NOW_SECONDS + 300 }
const objection = (changed: Record<string, unknown>, old: Record<string, unknown> = {}) =>
  objectionTo(verifiedToken({ ...after, ...changed }), verifiedToken({ ...before, ...old }), policy, NOW_SECONDS)

describe('giving out one token as the next of another', () => {
  it('has no objection to the same session, further on', () => {
    expect(objection({})).toBeUndefined()
    expect(objection({ aud: 'billing', scope: 'read' })).toBeUndefined()
  })

  it('asks to keep only what there was', () => {
    const bare = { sid: undefined, auth_time: undefined, cnf: undefined }
    expect(objection({ sid: 's-9', auth_time: NOW_SECONDS, cnf: undefined }, bare)).toBeUndefined()
  })

  const objections: Record<string, [changed: Record<string, unknown>, words: string, old?: Record<string, unknown>]> = {
    'of another issuer': [{ iss: 'https://other.example' }, 'another issuer'],
    'of somebody else': [{ sub: 'mallory' }, 'somebody else'],
    'of nobody': [{ sub: undefined }, 'somebody else'],
    'of nobody, who had none before either': [{ sub: undefined }, 'has no "sub"', { sub: undefined }],
    'of another session': [{ sid: 's-2' }, '"sid"'],
    'without a session': [{ sid: undefined }, '"sid"'],
    'of a newer log-in': [{ auth_time: NOW_SECONDS }, '"auth_time"'],
    'without the time of the log-in': [{ auth_time: undefined }, '"auth_time"'],
    'that anybody can use, where one key could': [{ cnf: undefined }, '"cnf"'],
    'bound to another key': [{ cnf: { jkt: 'y' } }, '"cnf"'],
    'with one scope more': [{ scope: 'read write admin' }, 'scope'],
    'for one audience more': [{ aud: ['orders', 'payroll'] }, 'audience'],
    'that ends within the window': [{ exp: NOW_SECONDS + 60 }, 'the next one at once'],
  }
  for (const [name, [changed, words, old]] of Object.entries(objections)) {
    it(`objects to a token ${name}`, () => expect(objection(changed, old)).toContain(words))
  }
})
