// What does a row of the local list say? Reads rules back, and judges a row against a token without making anything of it.
// Exact: what was written is what is read, to the last digit and character.
import type { VerifiedToken } from '../../model/decision.ts'
import type { Rule, RuleKind } from '../rule/rule.ts'
import { unitAt, unpackText, unpackValue } from './key.ts'
import {
  AT_SHIFT,
  atLimitMs,
  BEFORE_FLAG,
  beforeAt,
  EXACT_FLAG,
  exactAt,
  FORM_MASK,
  flagsOf,
  GUESSED_BIT,
  LIFTED_BIT,
  lifetimeLimitSeconds,
  SHARED_FLAG,
  sharedAt,
  tailAt,
  textLength,
  unitsOf,
  valueAt,
} from './layout.ts'
import { readNote } from './note.ts'
import { createRowWriter, type RowGround, type RowWriter } from './row-writer.ts'
import { createScopes, readScope, scopeEnd } from './scopes.ts'
import { createSharedTexts, notShared } from './texts.ts'

export interface Rows extends RowWriter {
  /** Forgets everything, and takes this as the time near which the next rules were written. */
  begin(atMs: number): void
  /** Reads a rule back; `value` saves reading that too, where it is at hand. */
  read(words: Int32Array, row: number, kind: RuleKind, value?: string): Rule
  /** The latest end of all copies of the rule. */
  forgetAtSeconds(words: Int32Array, row: number): number
  isLifted(words: Int32Array, row: number): boolean
  /** Whether it is for one issuer, or of a source. */
  isScoped(words: Int32Array, row: number): boolean
  /** Whether it has this very issuer and source, as `writeScope` joins them. */
  hasScope(words: Int32Array, row: number, scope: string | undefined): boolean
  /** Whether the rule, whose value is known to be one of the token's, is against it now: `matches` of facts.ts. */
  isAgainst(words: Int32Array, row: number, token: VerifiedToken, nowSeconds: number): boolean
  /** The row is about to be dropped. */
  release(words: Int32Array, row: number): void
  bytes(): number
}

// Rules of before the first one: a log is read in the order in which it was written, but a healed one may be mixed.
const headStartMs = atLimitMs / 16

const double = new Float64Array(1)
const doubleWords = new Int32Array(double.buffer)

export function createRows(toleranceSeconds: () => number): Rows {
  const ground: RowGround = { scopes: createScopes(), notes: createSharedTexts(), beginMs: 0 }
  const { scratch, write } = createRowWriter(ground)

  function atMsOf(words: Int32Array, row: number): number {
    return ground.beginMs + (((words[row] ?? 0) >>> AT_SHIFT) & 15) * 2 ** 32 + ((words[row + 1] ?? 0) >>> 0)
  }

  // `double` of an exact row: 0 at, 2 expires, 4 forget, 6 before.
  function expiresAt(words: Int32Array, row: number, flags: number): number {
    if ((flags & EXACT_FLAG) !== 0) return readDouble(words, exactAt(row, flags) + 2)
    return Math.floor(atMsOf(words, row) / 1000) + ((words[row] ?? 0) & (lifetimeLimitSeconds - 1))
  }

  function beforeOf(words: Int32Array, row: number, flags: number): number {
    if ((flags & BEFORE_FLAG) !== 0) return (words[beforeAt(row, flags)] ?? 0) >>> 0
    return (flags & EXACT_FLAG) === 0 ? Number.NaN : readDouble(words, exactAt(row, flags) + 6)
  }

  function isLifted(words: Int32Array, row: number): boolean {
    return (flagsOf(words, row) & EXACT_FLAG) !== 0 && ((words[row] ?? 0) & LIFTED_BIT) !== 0
  }

  const sharedOf = (words: Int32Array, row: number, flags: number) =>
    (flags & SHARED_FLAG) === 0 ? 0 : (words[sharedAt(row, flags)] ?? 0)

  function hasScope(words: Int32Array, row: number, scope: string | undefined): boolean {
    const flags = flagsOf(words, row)
    const number = sharedOf(words, row, flags) >>> 16
    if (scope === undefined || number === 0) return scope === undefined && number === 0
    if (number !== notShared) return ground.scopes.textOf(number) === scope
    const tail = tailAt(words, row, flags)
    return (words[tail] ?? 0) >>> 1 === scope.length && beginsWith(words, tail, scope)
  }

  const isScoped = (words: Int32Array, row: number) => sharedOf(words, row, flagsOf(words, row)) >>> 16 !== 0

  function isOfIssuer(words: Int32Array, row: number, flags: number, { claims, issuer }: VerifiedToken): boolean {
    const number = sharedOf(words, row, flags) >>> 16
    if (number === 0) return true
    if (number !== notShared) {
      const named = ground.scopes.issuerOf(number)
      return named === '' || named === claims.iss || named === issuer
    }
    const tail = tailAt(words, row, flags)
    return isIssuer(words, tail, '') || isIssuer(words, tail, claims.iss) || isIssuer(words, tail, issuer)
  }

  function isAgainst(words: Int32Array, row: number, token: VerifiedToken, nowSeconds: number): boolean {
    const flags = flagsOf(words, row)
    if (isLifted(words, row) || hasEnded(words, row, flags, nowSeconds)) return false
    if ((flags & SHARED_FLAG) !== 0 && !isOfIssuer(words, row, flags, token)) return false
    const { iat } = token.claims
    return typeof iat !== 'number' || !isBefore(words, row, flags, iat)
  }

  // Answers of these two are not numbers but what is made of them: V8 would put each number on its heap.
  function hasEnded(words: Int32Array, row: number, flags: number, nowSeconds: number): boolean {
    if ((flags & EXACT_FLAG) === 0) {
      const head = words[row] ?? 0
      const atMs = ground.beginMs + ((head >>> AT_SHIFT) & 15) * 2 ** 32 + ((words[row + 1] ?? 0) >>> 0)
      return Math.floor(atMs / 1000) + (head & (lifetimeLimitSeconds - 1)) + toleranceSeconds() <= nowSeconds
    }
    loadDouble(words, exactAt(row, flags) + 2)
    return (double[0] ?? 0) + toleranceSeconds() <= nowSeconds
  }

  function isBefore(words: Int32Array, row: number, flags: number, iat: number): boolean {
    if ((flags & BEFORE_FLAG) !== 0) return (words[beforeAt(row, flags)] ?? 0) >>> 0 < iat
    if ((flags & EXACT_FLAG) === 0) return false
    loadDouble(words, exactAt(row, flags) + 6)
    // Not a number, which is below nothing, where the rule takes every token.
    return (double[0] ?? 0) < iat
  }

  function read(words: Int32Array, row: number, kind: RuleKind, value?: string): Rule {
    const flags = flagsOf(words, row)
    const isExact = (flags & EXACT_FLAG) !== 0
    const shared = sharedOf(words, row, flags)
    const scopeNumber = shared >>> 16
    const noteNumber = shared & 0xffff
    const tail = tailAt(words, row, flags)
    const hasScopeText = scopeNumber === notShared
    const noteAt = hasScopeText ? tail + textLength(words[tail] ?? 0) : tail
    const before = beforeOf(words, row, flags)
    return {
      kind,
      value: value ?? unpackValue(words, valueAt(row, flags), flags & FORM_MASK, unitsOf(words, row, flags)),
      ...readScope(hasScopeText ? readText(words, tail) : ground.scopes.textOf(scopeNumber)),
      issuedBeforeSeconds: Number.isNaN(before) ? undefined : before,
      expiresAtSeconds: expiresAt(words, row, flags),
      ...(isExact && ((words[row] ?? 0) & GUESSED_BIT) !== 0 && { isEndGuessed: true }),
      ...readNote(noteNumber === notShared ? readText(words, noteAt) : ground.notes.textOf(noteNumber)),
      atMs: isExact ? readDouble(words, exactAt(row, flags)) : atMsOf(words, row),
      lifted: isLifted(words, row),
    }
  }

  return Object.freeze({
    begin: (atMs) => {
      ground.scopes = createScopes()
      ground.notes = createSharedTexts()
      ground.beginMs = Math.trunc(atMs) - headStartMs
    },
    write,
    scratch,
    read,
    forgetAtSeconds: (words, row) => {
      const flags = flagsOf(words, row)
      return (flags & EXACT_FLAG) === 0 ? expiresAt(words, row, flags) : readDouble(words, exactAt(row, flags) + 4)
    },
    isLifted,
    isScoped,
    hasScope,
    isAgainst,
    release: (words, row) => {
      const shared = sharedOf(words, row, flagsOf(words, row))
      ground.scopes.release(shared >>> 16)
      ground.notes.release(shared & 0xffff)
    },
    bytes: () => ground.scopes.bytes() + ground.notes.bytes(),
  } satisfies Rows)
}

function readDouble(words: Int32Array, at: number): number {
  loadDouble(words, at)
  return double[0] ?? 0
}

function loadDouble(words: Int32Array, at: number): void {
  doubleWords[0] = words[at] ?? 0
  doubleWords[1] = words[at + 1] ?? 0
}

function readText(words: Int32Array, at: number): string {
  const head = words[at] ?? 0
  return unpackText(words, at + 1, head >>> 1, (head & 1) === 1)
}

// A scope whose issuer is this one.
function isIssuer(words: Int32Array, at: number, issuer: string): boolean {
  const head = words[at] ?? 0
  const units = head >>> 1
  if (units < issuer.length || !beginsWith(words, at, issuer)) return false
  return units === issuer.length || unitAt(words, at + 1, issuer.length, (head & 1) === 1) === scopeEnd
}

function beginsWith(words: Int32Array, at: number, text: string): boolean {
  const head = words[at] ?? 0
  for (let unit = 0; unit < text.length; unit += 1) {
    if (unitAt(words, at + 1, unit, (head & 1) === 1) !== text.charCodeAt(unit)) return false
  }
  return true
}
