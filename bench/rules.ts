// The rules and the tokens that the lists of all measurements are filled with and asked about: the same ones for the same numbers,
// so that nothing has to be kept.
import type { VerifiedToken } from '../src/model/decision.ts'
import { encodeEntry } from '../src/revocation/log/entry.ts'
import type { Rule } from '../src/revocation/rule/rule.ts'
import type { TestRedis } from '../test/support/redis.ts'
import { verifiedToken } from '../test/support/verified-token.ts'

const BATCH = 5000
/** When this process began, in Unix seconds: what the times of rules and tokens are counted from. */
export const startSeconds = Math.floor(Date.now() / 1000)

/** Writes the first `count` of them into the log of the default list, as other programs do. */
export async function writeLog(server: TestRedis, count: number): Promise<void> {
  for (let first = 0; first < count; first += BATCH) {
    const pipeline = server.client.pipeline()
    for (let index = first; index < Math.min(first + BATCH, count); index += 1) {
      const entry = encodeEntry(ruleOf(index, startSeconds), { keepsTime: false })
      pipeline.call('xadd', 'sidegate:{default}:log', '*', ...entry)
    }
    await pipeline.exec()
  }
}

/**
 * One of a million different rules: 85 % token rules with UUIDs, 1 % with digests, 5 % sessions, 9 % subjects (half of them
 * addresses, half `auth0|…`, half of them with a time), a few clients, keys and issuers. 30 % have a reason and an actor,
 * 5 % an issuer.
 */
export function ruleOf(index: number, nowSeconds: number): Rule {
  const dice = (mixed(index, 1) >>> 0) % 100
  const more = (mixed(index, 2) >>> 0) % 100
  const has = more < 30
  return {
    ...nameOf(index, dice),
    issuer: more >= 95 ? `https://id-${more % 2}.example.com` : undefined,
    issuedBeforeSeconds: dice >= 91 && more % 2 === 0 ? nowSeconds : undefined,
    expiresAtSeconds: nowSeconds + 60 + ((mixed(index, 3) >>> 0) % 86_400),
    reason: has ? `reason ${more % 10}: signed out by the help desk` : undefined,
    actor: has ? `admin-${(mixed(index, 4) >>> 0) % 50}@example.com` : undefined,
    atMs: nowSeconds * 1000 + (index % 1000),
    lifted: false,
  }
}

function nameOf(index: number, dice: number): Pick<Rule, 'kind' | 'value'> {
  if (index < 100) return { kind: 'client', value: `client-${index}` }
  if (index < 120) return { kind: 'key', value: `key-${index}` }
  if (index < 123) return { kind: 'issuer', value: `https://old-${index}.example.com` }
  if (dice < 85) return { kind: 'token', value: uuidOf(index) }
  if (dice < 86) return { kind: 'token', value: `sha256:${'x'.repeat(35)}${hexOf(index, 1)}` }
  if (dice < 91) return { kind: 'session', value: uuidOf(index) }
  return { kind: 'subject', value: subjectOf(index) }
}

export function plainRuleOf(index: number): Rule {
  const expiresAtSeconds = startSeconds + 60 + ((mixed(index, 3) >>> 0) % 86_400)
  return { kind: 'token', value: uuidOf(index), expiresAtSeconds, atMs: startSeconds * 1000 + (index % 1000) }
}

/** A token that the rule of this index is against, and with every claim that a rule can name. */
export function tokenOf(index: number): VerifiedToken {
  const rule = ruleOf(index, startSeconds)
  const names = { token: 'jti', subject: 'sub', session: 'sid', client: 'azp', key: 'kid', issuer: 'iss' } as const
  const claims = {
    jti: uuidOf(index + 5_000_000),
    sub: subjectOf(index + 5_000_000),
    sid: uuidOf(index + 6_000_000),
    azp: `an-app-${index % 20}`,
    client_id: `an-app-${index % 20}`,
    iss: rule.issuer ?? `https://id-${index % 2}.example.com`,
    iat: startSeconds - 60,
    [names[rule.kind]]: rule.value,
  }
  // As they come out of a token: texts that were parsed, not texts that were put together.
  return verifiedToken(JSON.parse(JSON.stringify(claims)), {
    keyId: rule.kind === 'key' ? rule.value : `key-${index % 2}`,
  })
}

function subjectOf(index: number): string {
  if (index % 2 === 0) return `first.last-${index}@customer.example`
  return `auth0|${hexOf(index, 1)}${hexOf(index, 2)}${hexOf(index, 3)}`
}

function uuidOf(index: number): string {
  const hex = hexOf(index, 11) + hexOf(index, 12) + hexOf(index, 13) + hexOf(index, 14)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function hexOf(index: number, salt: number): string {
  return (mixed(index, salt) >>> 0).toString(16).padStart(8, '0')
}

/** The same scattered number for the same input, so that nothing has to be kept. One to one for one salt. */
export function mixed(index: number, salt: number): number {
  let bits = index ^ Math.imul(salt, 0x9e3779b9)
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad)
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
  return bits ^ (bits >>> 15)
}
