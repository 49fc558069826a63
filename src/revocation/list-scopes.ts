// How do the issuer and the source of a rule become one text? They usually repeat as a pair, so that one number stands for both,
// and a rule without a source costs what it did without any. Must never let two pairs share a text.

import { createSharedTexts, notShared, type SharedTexts } from './list-texts.ts'
import type { Rule } from './rule.ts'

type Scope = Pick<Rule, 'issuer' | 'source'>

const none: Scope = Object.freeze({ issuer: undefined, source: undefined })

/** The line break behind an issuer that has a source: neither of them can hold one. */
export const scopeEnd = 0x0a

/** One text of both, or undefined where there is neither. */
export function writeScope({ issuer, source }: Scope): string | undefined {
  return source === undefined ? issuer : `${issuer ?? ''}\n${source}`
}

/** Reads them back; of the empty text, neither. */
export function readScope(scope: string): Scope {
  if (scope === '') return none
  const end = scope.indexOf('\n')
  if (end === -1) return { issuer: scope, source: undefined }
  return { issuer: end === 0 ? undefined : scope.slice(0, end), source: scope.slice(end + 1) }
}

export interface Scopes extends SharedTexts {
  /** The issuer of a shared scope; empty where it is for any. */
  issuerOf(number: number): string
}

/** Shared texts that also know the issuer of each: it is compared for every token that a rule names. */
export function createScopes(): Scopes {
  const texts = createSharedTexts()
  const issuers: string[] = ['']

  return Object.freeze({
    ...texts,
    take: (text) => {
      const number = texts.take(text)
      if (number !== notShared) issuers[number] = readScope(text).issuer ?? ''
      return number
    },
    issuerOf: (number) => issuers[number] ?? '',
  } satisfies Scopes)
}
