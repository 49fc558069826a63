// Which header names of the settings contradict each other, or what the gate does with them anyway? Compared as apps fold names.
// It must never accept an exception that lets a client set what only the gate may say.
import {
  crossingNames,
  foldedNameTest,
  foldName,
  forwardingNames,
  hopByHopNames,
  ownNames,
  rewritingNames,
} from '../../model/header-names.ts'
import type { Config } from '../options.ts'
import type { Finding } from '../problems.ts'
import { quote } from '../value-types/quote.ts'
import type { Draft } from './draft.ts'

/** The gate writes these for the app, whatever came. */
const writtenNames = [
  ...['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'via', 'forwarded'],
  ...['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port'],
] as const

/** Headers of the message itself and of answers, which neither an identity nor a token can have. */
const messageNames = [
  ...['accept-encoding', 'age', 'cache-control', 'date', 'location', 'set-cookie', 'vary', 'www-authenticate'],
] as const

const tokenNames: ReadonlySet<string> = new Set(['authorization'])
const isOccupied = foldedNameTest([
  ...[...hopByHopNames, ...ownNames, ...crossingNames, ...rewritingNames, ...writtenNames, ...messageNames],
  'x-real-ip',
])

/** Whether the gate, or every app, gives this header a meaning, so that it carries no identity and no token. */
export function isReservedHeader(name: string): boolean {
  return isOccupied(foldName(name)) && !tokenNames.has(name)
}

/** Every contradiction between header names. */
export function* headerNameRules(draft: Draft<Config>): Generator<Finding> {
  yield* identityRules(draft)
  yield* refreshHeaderRules(draft)
  yield* allowRules(draft)
  yield* dropRules(draft)
  yield* unreadAuthorization(draft)
}

function sourceHeaders({ tokens }: Draft<Config>): readonly string[] {
  const headers = (tokens?.sources ?? []).map((source) =>
    source !== undefined && 'header' in source ? source.header : undefined,
  )
  return headers.filter((header) => header !== undefined)
}

function* identityRules(draft: Draft<Config>): Generator<Finding> {
  const { forward, refresh } = draft
  const sources = new Set(sourceHeaders(draft))
  for (const key of Object.keys(forward?.identity ?? {})) {
    const path = ['forward', 'identity', key]
    // Where another part of the map is wrong, its names are still as they were written.
    const name = key.toLowerCase()
    if (isReservedHeader(name) || name === 'authorization')
      yield {
        path,
        message: `Expected a header of its own for the identity, got ${quote(name)}`,
        hint: 'choose a name such as "x-auth-subject"',
      }
    else if (sources.has(name))
      yield {
        path,
        message: `Cannot use ${quote(name)} for the identity: tokens come in it`,
        hint: 'choose another name',
      }
    if (refresh?.header === name)
      yield {
        path: ['refresh', 'header'],
        message: `Cannot use ${quote(name)} for successors: "forward.identity" has it`,
        hint: 'choose another name',
      }
  }
}

function* refreshHeaderRules(draft: Draft<Config>): Generator<Finding> {
  const header = draft.refresh?.header
  if (header === undefined) return
  const path = ['refresh', 'header']
  if (isReservedHeader(header))
    yield {
      path,
      message: `Expected a header of its own for successors, got ${quote(header)}`,
      hint: 'choose a name such as "x-refreshed-token"',
    }
}

function* allowRules(draft: Draft<Config>): Generator<Finding> {
  const { forward, refresh } = draft
  const ours = [...Object.keys(forward?.identity ?? {}), ...(refresh?.header === undefined ? [] : [refresh.header])]
  const kinds: readonly (readonly [is: (folded: string) => boolean, what: string, hint: string])[] = [
    [foldedNameTest(ours), 'is set by the gate alone', 'rename one of the two headers'],
    [
      foldedNameTest([...sourceHeaders(draft), ...crossingNames]),
      'reaches the app in its own spelling, and in no other',
      'remove it',
    ],
    [
      foldedNameTest(forwardingNames),
      'says how the request came',
      'name the proxy that sets it in "forward.trustedProxies"',
    ],
    [
      foldedNameTest([...hopByHopNames, ...ownNames, ...rewritingNames]),
      'is protected',
      'have the client use a header of another name',
    ],
  ]
  for (const [index, name] of (forward?.allowHeaders ?? []).entries()) {
    if (name === undefined) continue
    const folded = foldName(name)
    const [, what, hint] = kinds.find(([is]) => is(folded)) ?? []
    const subject = folded === name ? 'it' : `apps read it as ${quote(folded)}, which`
    if (what !== undefined)
      yield {
        path: ['forward', 'allowHeaders', index],
        message: `Cannot allow ${quote(name)}: ${subject} ${what}`,
        hint,
      }
  }
}

// An app that reads bearer tokens by itself would see one that nobody judged, beside the judged one of a cookie.
function* unreadAuthorization(draft: Draft<Config>): Generator<Finding> {
  const { tokens, forward } = draft
  if (tokens?.sources === undefined || forward?.drop === undefined) return
  if (sourceHeaders(draft).includes('authorization')) return
  const dropped = forward.drop.filter((name) => name !== undefined)
  if (foldedNameTest(dropped)('authorization')) return
  yield {
    path: ['tokens', 'sources'],
    severity: 'warning',
    message: 'The header Authorization is no source of tokens, and reaches the app unread',
    hint: 'add { header: authorization }, or leave it out with forward.drop: [authorization]',
  }
}

function* dropRules({ forward }: Draft<Config>): Generator<Finding> {
  const allowed = new Set((forward?.allowHeaders ?? []).map((name) => foldName(name ?? '')))
  const identity = Object.keys(forward?.identity ?? {})
  for (const [index, name] of (forward?.drop ?? []).entries()) {
    if (name === undefined) continue
    const path = ['forward', 'drop', index]
    const covers = foldedNameTest([name])
    const written = writtenNames.find((each) => covers(foldName(each)))
    const carried = identity.find((each) => covers(foldName(each)))
    if (written !== undefined)
      yield {
        path,
        message: `Cannot leave out ${quote(name)}: the gate itself writes ${quote(written)}`,
        hint: 'remove it',
      }
    else if (carried !== undefined)
      yield {
        path,
        message: `Cannot leave out ${quote(name)}: "forward.identity" sets ${quote(carried)}, and no client can`,
        hint: 'remove one of the two',
      }
    else if (allowed.has(foldName(name)))
      yield {
        path,
        message: `Cannot leave out ${quote(name)}: "forward.allowHeaders" lets it through`,
        hint: 'remove one of the two',
      }
  }
}
