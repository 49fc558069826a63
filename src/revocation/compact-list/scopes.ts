// How do the issuer, the source and unknown fields of a rule become one text? They usually repeat together, so that one number
// stands for all, and a rule without a source costs nothing for it. Two different ones must never share a text.

import type { Rule } from '../rule/rule.ts'
import { createSharedTexts, notShared, type SharedTexts } from './texts.ts'

type Scope = Pick<Rule, 'issuer' | 'source' | 'extra'>

const none: Scope = Object.freeze({ issuer: undefined, source: undefined })

/** The line break behind each part that has another one after it: none of them can hold one, JSON escapes it. */
export const scopeEnd = 0x0a

/** One text of all, or undefined where there is none. */
export function writeScope({ issuer, source, extra }: Scope): string | undefined {
  if (extra !== undefined) return `${issuer ?? ''}\n${source ?? ''}\n${extra}`
  return source === undefined ? issuer : `${issuer ?? ''}\n${source}`
}

/** Reads them back; of the empty text, none. */
export function readScope(scope: string): Scope {
  if (scope === '') return none
  const [issuer, source, extra] = scope.split('\n')
  const named = { issuer: issuer === '' ? undefined : issuer, source: source === '' ? undefined : source }
  return extra === undefined ? named : { ...named, extra }
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
