// What may a name in the settings look like? Headers, cookies, claims, scopes and route paths, each by its specification.
// A name that two parsers could read differently is refused here, before any request is judged by it.
import { METHODS } from 'node:http'
import { closestMatch } from 'leven'
import * as z from 'zod'
import { quote } from './quote.ts'
import { isGroup, noted, textKind, unexpected } from './value-types.ts'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/

const STRICT = /^[0-9A-Za-z-]{1,64}$/
const HEADER_EXPECTS = 'a header name of letters, digits and "-", such as "x-auth-subject"'

/** A header name that every server reads as it is written: letters, digits and `-`; the value is in lower case. */
export function headerName() {
  return textKind<string>({
    kind: 'header name',
    expects: HEADER_EXPECTS,
    pattern: STRICT.source,
    parse: (text, reject) => {
      const trouble = headerTrouble(text)
      return trouble === undefined ? text.toLowerCase() : reject(...trouble)
    },
  })
}

/** Why a name cannot be one that the gate sets or reads: servers fold `_`, `.` and the like into `-`, or the other way round. */
function headerTrouble(text: string): readonly [message: string, hint?: string] | undefined {
  if (STRICT.test(text)) return undefined
  const message = unexpected(HEADER_EXPECTS, text)
  if (!TOKEN.test(text)) return [message]
  const dashed = text.toLowerCase().replace(/[^a-z0-9]/g, '-')
  return [message, `did you mean ${quote(dashed)}? Many apps read other characters as "-", from clients too`]
}

/** A header name (RFC 9110 section 5.1) with every character that HTTP allows; the value is in lower case. */
export function anyHeaderName() {
  const expects = 'a header name such as "x_legacy"'
  return textKind<string>({
    kind: 'header name',
    expects,
    pattern: TOKEN.source,
    parse: (text, reject) => {
      if (text.endsWith('*')) return reject(unexpected(expects, text), 'write each name in full')
      return TOKEN.test(text) ? text.toLowerCase() : reject(unexpected(expects, text))
    },
  })
}

/** A header name, or with `*` at its end all names that begin so; the value is in lower case. */
export function headerPattern() {
  const expects = 'a header name such as "x-debug", or "x-debug-*"'
  const pattern = /^[!#$%&'+\-.^_`|~0-9A-Za-z]{1,64}\*?$/
  return textKind<string>({
    kind: 'header name',
    expects,
    pattern: pattern.source,
    parse: (text, reject) => (pattern.test(text) ? text.toLowerCase() : reject(unexpected(expects, text))),
  })
}

/** A cookie name (RFC 6265 section 4.1.1); upper and lower case differ. */
export function cookieName() {
  return matching('cookie name', 'a cookie name such as "session"', TOKEN)
}

/** A parameter of the query. */
export function queryName() {
  return matching('parameter name', 'a parameter name such as "access_token"', /^[A-Za-z0-9_.~-]{1,64}$/)
}

/** The name of a machine; TLS knows no address as a name (RFC 6066 section 3). */
export function hostName() {
  const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
  const pattern = new RegExp(`^(?=.{1,253}$)(?:${label}\\.)*(?!\\d+$)${label}$`)
  return matching('host name', 'a host name such as "app.example.svc"', pattern)
}

/** The name of a list, which becomes part of the names of Redis keys. */
export function listName() {
  return matching('name', 'a name of at most 64 letters, digits, ".", "_" or "-"', /^[A-Za-z0-9_.-]{1,64}$/)
}

/** A scope (RFC 6749 section 3.3). */
export function scope() {
  const expects = 'a scope such as "orders:read"'
  return textKind<string>({
    kind: 'scope',
    expects,
    parse(text, reject) {
      if (/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(text)) return text
      const isSeveral = /^\S+( \S+)+$/.test(text)
      return reject(unexpected(expects, text), isSeveral ? `did you mean [${text.split(' ').join(', ')}]` : undefined)
    },
  })
}

/** A request method; RFC 9110 section 9.1 tells upper and lower case apart. */
export function method() {
  const expects = 'a method such as "GET"'
  return textKind<string>({
    kind: 'method',
    expects,
    parse(text, reject) {
      if (METHODS.includes(text)) return text
      return reject(unexpected(expects, text), methodHint(text))
    },
  })
}

function methodHint(text: string): string | undefined {
  if (/^(\*|any|all)$/i.test(text)) return 'leave "methods" out for all methods'
  if (/[,|\s]/.test(text))
    return `did you mean [${text
      .toUpperCase()
      .split(/[,|\s]+/)
      .join(', ')}]`
  const near = closestMatch(text.toUpperCase(), METHODS, { maxDistance: 2 })
  return near === undefined ? undefined : `did you mean "${near}"`
}

function matching(kind: string, expects: string, pattern: RegExp) {
  return textKind<string>({
    kind,
    expects,
    pattern: pattern.source,
    parse: (text, reject) => (pattern.test(text) ? text : reject(unexpected(expects, text))),
  })
}

/** A map whose keys are header names: lower case in the value, two spellings of one name refused. */
export function byHeader<S extends z.ZodType>(item: S) {
  const expects = 'a map from header names to claim names'
  const checked = z
    .record(z.string(), item)
    .superRefine(refuseWrongHeaders, { when: (payload) => isGroup(payload.value) })
  const schema = checked.transform(
    (given) =>
      Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value])) as Record<
        string,
        z.output<S>
      >,
  )
  return noted(schema, { kind: 'map', expects })
}

function refuseWrongHeaders(given: Record<string, unknown>, context: z.core.$RefinementCtx): void {
  const seen = new Set<string>()
  for (const key of Object.keys(given)) {
    const name = key.toLowerCase()
    const [message, hint] = headerTrouble(key) ?? []
    if (message !== undefined) {
      context.addIssue({ code: 'custom', path: [key], message, params: { hint } })
    } else if (seen.has(name)) {
      const message = `Repeated header ${quote(name)}`
      context.addIssue({ code: 'custom', path: [key], message, params: { hint: 'remove one of the two' } })
    }
    seen.add(name)
  }
}

/** A claim's demanded value, or the values of which one must be there; the value is always a list. */
export function claimValues() {
  const schema = z.union([z.string(), z.array(z.string()).min(1).max(1000)])
  const expects = 'a text or a list of texts'
  const asList = schema.transform((value): readonly string[] => (typeof value === 'string' ? [value] : value))
  return noted(asList, { kind: 'text or list', expects, suggest: suggestTexts })
}

function suggestTexts(input: unknown): string | undefined {
  if (Array.isArray(input))
    return input.length === 0 || input.some(isGroup)
      ? undefined
      : `[${input.map((item) => JSON.stringify(String(item))).join(', ')}]`
  return typeof input === 'number' || typeof input === 'boolean' ? JSON.stringify(String(input)) : undefined
}
