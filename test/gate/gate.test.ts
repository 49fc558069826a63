import { describe, expect, it } from 'vitest'
import type { RevocationAnswer } from '../../src/gate/admission.ts'
import { createGate, inShadow, type Questions } from '../../src/gate/gate.ts'
import { credential, type Permit, type VerifiedToken } from '../../src/model/decision.ts'
import { refuse } from '../../src/model/refusal.ts'
import { NOW_SECONDS, verifiedToken } from '../support/tokens.ts'

const view = { method: 'GET', path: '/orders', query: '', headers: [] }
const sources = [{ header: 'authorization' }]

/** A gate whose questions are answered as given, and the order in which they were asked. */
function createWorld(answers: Partial<Questions> = {}) {
  const asked: string[] = []
  const note = <A extends unknown[], R>(name: string, answer: (...given: A) => R) => {
    return (...given: A) => {
      asked.push(name)
      return answer(...given)
    }
  }
  const questions: Questions = {
    route: note(
      'route',
      answers.route ?? (() => ({ path: '/*', isPublic: false, lacks: note('requirements', () => undefined) })),
    ),
    extract: note('extract', answers.extract ?? (() => ({ token: 'a.b.c', sources, several: undefined }))),
    origin: answers.origin ?? (() => undefined),
    issuedAt: answers.issuedAt ?? (() => 0),
    verify: note('verify', answers.verify ?? (() => verifiedToken({}))),
    clock: note('clock', answers.clock ?? (() => NOW_SECONDS * 1000)),
    revocation: note('revocation', answers.revocation ?? (() => 'clear' as const)),
  }
  return { decide: createGate(questions), asked }
}

describe('the gate', () => {
  it('asks its questions in order and admits at once', () => {
    const { decide, asked } = createWorld()
    expect(decide(view)).toMatchObject({ decision: 'permit', token: { id: 'token-1' }, sources })
    expect(asked).toEqual(['route', 'extract', 'verify', 'clock', 'revocation', 'requirements'])
  })

  // holds: secrets-in-output
  it('hands on the text of an admitted token, and no log line can take it along', () => {
    const permit = createWorld().decide(view) as Permit
    expect(permit[credential]).toBe('a.b.c')
    expect(JSON.stringify(permit)).not.toContain('a.b.c')
  })

  it('asks for no token on a public path', () => {
    const { decide, asked } = createWorld({ route: () => ({ path: '/*', isPublic: true, lacks: () => undefined }) })
    expect(decide(view)).toMatchObject({ decision: 'public', token: undefined })
    expect(asked).toEqual(['route'])
  })

  const refusals: Record<string, [answers: Partial<Questions>, reason: string, asked: number]> = {
    'an ambiguous path': [{ route: () => refuse('path_ambiguous') }, 'path_ambiguous', 1],
    'a missing token': [{ extract: () => refuse('token_missing') }, 'token_missing', 2],
    'a forged token': [{ verify: () => refuse('signature_invalid') }, 'signature_invalid', 3],
    'an expired token': [{ verify: () => verifiedToken({}, { refusedFromSeconds: NOW_SECONDS }) }, 'token_expired', 4],
    'a token before its time': [
      { verify: () => verifiedToken({}, { refusedBeforeSeconds: NOW_SECONDS + 1 }) },
      'token_not_yet_valid',
      4,
    ],
    'a revoked token': [{ revocation: () => 'revoked' }, 'token_revoked', 5],
    'a list that is too old': [{ revocation: () => 'stale' }, 'revocation_stale', 5],
    'a missing scope': [
      { route: () => ({ path: '/*', isPublic: false, lacks: () => refuse('scope_insufficient') }) },
      'scope_insufficient',
      5,
    ],
  }
  for (const [name, [answers, reason, count]] of Object.entries(refusals)) {
    it(`refuses ${name} as ${reason} and asks nothing further`, () => {
      const { decide, asked } = createWorld(answers)
      expect(decide(view)).toMatchObject({ decision: 'refuse', reason })
      expect(asked).toHaveLength(count)
    })
  }

  it('waits only where a question has to be asked elsewhere', async () => {
    const later = createWorld({ verify: async () => verifiedToken({}), revocation: async () => 'revoked' as const })
    expect(await later.decide(view)).toMatchObject({ reason: 'token_revoked' })
  })

  it('rejects, and so refuses, when a question cannot be answered', async () => {
    const { decide } = createWorld({ revocation: () => Promise.reject(new Error('a bug')) })
    await expect(decide(view)).rejects.toThrow('a bug')
  })

  // holds: exp-nbf-iat-at-edges
  it('judges the time of a token on every request', () => {
    let nowMs = NOW_SECONDS * 1000
    const token: VerifiedToken = verifiedToken({}, { refusedFromSeconds: NOW_SECONDS + 10 })
    const { decide } = createWorld({ clock: () => nowMs, verify: () => token })
    expect(decide(view)).toMatchObject({ decision: 'permit' })
    nowMs += 9_999
    expect(decide(view)).toMatchObject({ decision: 'permit' })
    nowMs += 1
    expect(decide(view)).toMatchObject({ reason: 'token_expired' })
  })

  it('says in a refusal whose token it was, for the log', () => {
    const { decide } = createWorld({ revocation: () => 'revoked' })
    expect(decide(view)).toMatchObject({ issuer: 'https://id.example.com', tokenId: 'token-1' })
  })
})

describe('shadow mode', () => {
  it('admits what the gate admits, as the gate does', () => {
    expect(inShadow(createWorld().decide)(view)).toMatchObject({ decision: 'permit', wouldRefuse: undefined })
  })

  it('admits what the gate refuses, without a token and with the refusal', async () => {
    const shadow = inShadow(createWorld({ revocation: () => 'revoked' }).decide)(view) as Permit
    expect(shadow[credential]).toBeUndefined()
    const answers: (RevocationAnswer | Promise<RevocationAnswer>)[] = ['revoked', Promise.resolve('revoked')]
    for (const answer of answers) {
      const decision = await inShadow(createWorld({ revocation: () => answer }).decide)(view)
      expect(decision).toMatchObject({ decision: 'shadow', token: undefined, wouldRefuse: { reason: 'token_revoked' } })
    }
  })
})
