// Texts that are compared whole with what stands in a token: issuers, audiences, claim names, token types. A pattern, a template
// or a path to a nested claim would be taken to the letter and never match, so each is refused with what to write.
import * as z from 'zod'
import { claimValues } from './names.ts'
import { quote } from './quote.ts'
import { isGroup, noted, type Reject, text, textKind, unexpected } from './value-types.ts'

/** A text of which `trouble` says why it cannot be what a token has. */
function literal(expects: string, trouble: (input: string) => readonly [string, string?] | undefined, maxLength = 256) {
  return textKind<string>({
    kind: 'text',
    expects,
    parse(input, reject: Reject) {
      const found = trouble(input)
      if (found !== undefined) return reject(`${unexpected(expects, input)}: ${found[0]}`, found[1])
      return readText(input, expects, maxLength, reject)
    },
  })
}

function readText(input: string, expects: string, maxLength: number, reject: Reject): string | undefined {
  const { success, data, error } = text(expects, maxLength).safeParse(input)
  if (success) return data
  const issue = error.issues[0]
  const hint = issue?.code === 'custom' ? issue.params?.hint : undefined
  return reject(issue?.message ?? unexpected(expects, input), typeof hint === 'string' ? hint : undefined)
}

const WHOLE = 'it is compared whole, and "*" stands for nothing'

/** What the claim `iss` says, letter by letter. */
export function issuerName() {
  return literal('the issuer as the claim "iss" spells it', issuerTrouble, 1024)
}

function issuerTrouble(input: string): readonly [string, string?] | undefined {
  const template = /[{<$][^/]*[}>]/.exec(input)?.[0]
  if (template !== undefined)
    return [`${quote(template)} stands for nothing`, 'give each tenant an entry of its own, with its id in that place']
  if (input.includes('*')) return [WHOLE, 'give each issuer an entry of its own']
  if (/^https:\/\/login\.microsoftonline\.com\/(common|organizations|consumers)\//.test(input))
    return ['no token has this issuer', 'put the id of the tenant in place of the word']
  const [, before] = /^(https?:\/\/.+?)\/(?:\.well-known\/.*|protocol\/openid-connect(?:\/.*)?)$/.exec(input) ?? []
  if (before !== undefined) return ['that is where its metadata or its keys are', `did you mean ${quote(before)}`]
  return undefined
}

/** What may stand in the claim `aud`. */
export function audience() {
  return literal('an audience', (input) =>
    input.includes('*') ? [WHOLE, 'name the audience that the tokens for this service carry'] : undefined,
  )
}

/** What may stand in the header `typ`. */
export function tokenType() {
  return literal('a token type such as "at+jwt"', (input) => {
    if (input.includes('*')) return [WHOLE, 'leave "tokenTypes" out for those that access tokens have']
    return /^bearer$/i.test(input)
      ? ['that is how a token is sent, and "typ" says what it is', 'did you mean "at+jwt" or "JWT"']
      : undefined
  })
}

/** The name of a claim at the top of the token. Names that are URLs or URNs have dots in them; other dots mean nesting. */
export function claimName() {
  return literal('a claim name', claimTrouble)
}

function claimTrouble(input: string): readonly [string, string?] | undefined {
  if (input.includes('*')) return ['"*" stands for no claim', 'name each claim']
  const plain = /^\$?\{{1,2}\s*([\w-]+)\s*\}{1,2}$|^\$([\w-]+)$/.exec(input)
  if (plain !== null) return ['a claim is named without signs around it', `did you mean ${quote(plain[1] ?? plain[2])}`]
  const isNested = /^[/$]|[[\]]/.test(input) || (input.includes('.') && !/[:/]/.test(input))
  return isNested
    ? [
        'claims inside of claims cannot be named',
        'have the identity provider put it into a claim at the top, such as "roles"',
      ]
    : undefined
}

/** Claim names, each with the value or the values that it may have. */
export function claimMap() {
  const schema = z.record(z.string(), claimValues()).superRefine(
    (given, context) => {
      for (const name of Object.keys(given)) {
        const trouble = claimTrouble(name)
        if (trouble !== undefined)
          context.addIssue({
            code: 'custom',
            path: [name],
            message: `${unexpected('a claim name', name)}: ${trouble[0]}`,
            params: { hint: trouble[1] },
          })
      }
    },
    { when: (payload) => isGroup(payload.value) },
  )
  return noted(schema, { kind: 'map', expects: 'a map from claim names to values, such as { tenant: [acme] }' })
}

const KEY_TEMPLATE = /^(?=.{1,256}$)[^{}\s]*(\{[^{}\s]+\}[^{}\s]*)+$/

/** The name of a Redis key with the claims of the token in braces, as in `revoked:{jti}`. */
export function keyTemplate() {
  const expects = 'a key with at least one claim in braces, such as "{jti}"'
  return textKind<string>({
    kind: 'key template',
    expects,
    pattern: KEY_TEMPLATE.source,
    parse(input, reject) {
      if (!KEY_TEMPLATE.test(input)) return reject(unexpected(expects, input))
      for (const [, name = ''] of input.matchAll(/\{([^{}]+)\}/g)) {
        const trouble = claimTrouble(name)
        if (trouble !== undefined) return reject(`${unexpected(expects, input)}: ${trouble[0]}`, trouble[1])
      }
      return input
    },
  })
}
