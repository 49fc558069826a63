// Can the keys of the gate sign successors, and can each be told from the others? Checks `refresh.key`, `refresh.keys` and
// `refresh.issuer`. Reads no file and no clock: whether a key signs at this moment is judged where the files are read.

import type { Config, RefreshConfig } from '../options.ts'
import type { Finding } from '../problems.ts'
import { quote } from '../value-types/quote.ts'
import type { Draft } from './draft.ts'

type KeyDraft = Draft<NonNullable<RefreshConfig['key']>>
type ListedKeyDraft = Draft<NonNullable<RefreshConfig['keys']>[number]>

/** Every contradiction within the keys that sign here, and between them and the issuers. */
export function* refreshKeyRules(
  { key, keys, issuer, ...refresh }: Draft<RefreshConfig>,
  issuers: NonNullable<Draft<Config>['issuers']>,
): Generator<Finding> {
  if (key !== undefined) yield* singleKeyRules(key)
  if (keys !== undefined) yield* listedKeysRules(keys)
  if (issuer === undefined) return
  const path = ['refresh', 'issuer']
  if ('exchange' in refresh)
    yield {
      path,
      message: 'Cannot give successors an issuer: with "refresh.exchange" the identity provider names it',
      hint: 'remove it',
    }
  const same = issuers.findIndex((other) => other?.issuer === issuer)
  if (same !== -1)
    yield {
      path,
      message: `Expected an issuer of its own for successors, got ${quote(issuer)}, which is issuers[${same}]`,
      hint: 'without "refresh.issuer" successors keep the "iss" of the first token',
    }
}

function* singleKeyRules(key: KeyDraft): Generator<Finding> {
  const path = ['refresh', 'key']
  const isWhole = yield* materialRules(path, key, ['privateKeyFile', 'secretFile'])
  if (isWhole && 'privateKeyFile' in key && !('keyId' in key)) {
    yield {
      path: [...path, 'keyId'],
      message: 'Missing setting',
      hint: 'give the key id under which the public key is published',
    }
  }
}

/** Answers whether the key has exactly one file. */
function* materialRules(
  path: readonly PropertyKey[],
  key: KeyDraft | ListedKeyDraft,
  files: readonly string[],
): Generator<Finding, boolean> {
  const given = files.filter((name) => name in key)
  if (given.length !== 1) {
    const got = given.length === 0 ? 'none' : given.length === 2 && files.length === 2 ? 'both' : listed(given)
    yield { path, message: `Expected exactly one of ${files.map(quote).join(', ')}, got ${got}` }
    return false
  }
  const { algorithm } = key
  const hasSecret = 'secretFile' in key
  if (algorithm !== undefined && algorithm.startsWith('HS') !== hasSecret) {
    const pair = 'publicKeyFile' in key ? 'key pair' : 'private key'
    const expects = hasSecret ? '"HS256", "HS384" or "HS512" with "secretFile"' : `an algorithm with a ${pair}`
    const hint = hasSecret ? 'a private key is given by "privateKeyFile"' : `for ${quote(algorithm)} give "secretFile"`
    yield { path: [...path, 'algorithm'], message: `Expected ${expects}, got ${quote(algorithm)}`, hint }
  }
  return true
}

function* listedKeysRules(keys: readonly (ListedKeyDraft | undefined)[]): Generator<Finding> {
  const at = (index: number, ...names: string[]) => ['refresh', 'keys', index, ...names]
  const byKeyId = new Map<string, number>()
  const byTime = new Map<true | number, number>()
  for (const [index, key] of keys.entries()) {
    if (key === undefined) continue
    const isWhole = yield* materialRules(at(index), key, ['privateKeyFile', 'publicKeyFile', 'secretFile'])
    const sameId = placeIn(byKeyId, key.keyId, index)
    if (sameId !== undefined)
      yield {
        path: at(index, 'keyId'),
        message: `Repeated key id ${quote(key.keyId)}`,
        hint: `refresh.keys[${sameId}] has it already`,
      }
    if (key.active === undefined || key.active === false) continue
    if (isWhole && 'publicKeyFile' in key)
      yield {
        path: at(index, 'active'),
        message: 'Cannot sign with a public key',
        hint: 'give "privateKeyFile", or remove "active"',
      }
    const sameTime = placeIn(byTime, key.active, index)
    if (sameTime !== undefined)
      yield {
        path: at(index, 'active'),
        message: `Expected a time at which no other key begins to sign, got that of refresh.keys[${sameTime}]`,
        hint: key.active === true ? 'give the newer of the two the time from which on it signs' : undefined,
      }
  }
  // A value that could not be read may have been the one that signs.
  const isRead = keys.every((key) => key !== undefined && !('active' in key && key.active === undefined))
  if (isRead && byTime.size === 0)
    yield { path: ['refresh', 'keys'], message: 'Expected a key that signs, got none', hint: 'give one "active: true"' }
}

/** Notes a value, or answers the place at which it was noted before. */
function placeIn<T>(places: Map<T, number>, value: T | undefined, index: number): number | undefined {
  if (value === undefined) return undefined
  const earlier = places.get(value)
  if (earlier === undefined) places.set(value, index)
  return earlier
}

function listed(names: readonly string[]): string {
  return names.map(quote).join(' and ')
}
