// Which header names belong to whom: computed once per policy, looked up per header. It must never depend on a request.
import type { VerifiedToken } from '../../model/decision.ts'
import {
  attestedGroups,
  crossingNames,
  foldedNameTest,
  foldName,
  forwardingNames,
  hopByHopNames,
  namesOf,
  ownNames,
  protectedGroups,
  rewritingNames,
  untrustedGroups,
} from '../../model/header-names.ts'
import type { DropReason, ProxyPolicy } from '../limits.ts'
import type { MessageRules } from '../message.ts'

/**
 * What becomes of a header line of a request. `passes`: it is copied · `omitted`: it speaks about the connection, or the gate
 * writes its own · `forwarding`: it is believed and continued from a trusted proxy, and else replaced · `attested`: it is
 * copied from a trusted proxy, and else listed.
 */
export type Crossing = 'passes' | 'omitted' | 'forwarding' | 'attested' | DropReason

/** Names come from strangers: so many of at most so many characters are remembered. */
const REMEMBERED_NAMES = 1_024
const REMEMBERED_LENGTH = 64

/** The names that one policy gives a meaning to, all in lower case. */
export interface HeaderRules {
  readonly policy: ProxyPolicy
  /** What becomes of a request header with this name, in lower case. */
  readonly crossing: (name: string) => Crossing
  /** Never copied from a response to the client. */
  readonly droppedFromResponse: ReadonlySet<string>
  /** What a message is held against. */
  readonly message: MessageRules
  readonly refreshHeader: string | undefined
  /** The identity lines of a token, made once: a token is asked for them on every request. */
  readonly identityLines: WeakMap<VerifiedToken, readonly string[]>
}

const rulesByPolicy = new WeakMap<ProxyPolicy, HeaderRules>()

/** The header rules of a policy; the same object for the same policy. */
export function headerRules(policy: ProxyPolicy): HeaderRules {
  const known = rulesByPolicy.get(policy)
  if (known !== undefined) return known
  const refreshHeader = policy.refreshHeader?.toLowerCase()
  const { headers, bodyBytes } = policy.limits
  const rules: HeaderRules = {
    policy,
    crossing: remembering(createCrossing(policy)),
    droppedFromResponse: new Set([...hopByHopNames, ...(refreshHeader === undefined ? [] : [refreshHeader])]),
    message: {
      ...{ headers, bodyBytes, upstreamAuthority: policy.upstream.host },
      isProtected: createProtection(policy),
    },
    refreshHeader,
    identityLines: new WeakMap(),
  }
  rulesByPolicy.set(policy, rules)
  return rules
}

const isAttested = foldedNameTest(namesOf(attestedGroups))

const listedNames = namesOf([...protectedGroups, ...attestedGroups, ...untrustedGroups])

/** Names that only the gate may set for the app. */
function ourNames({ identity, refreshHeader }: ProxyPolicy): readonly string[] {
  const names = identity.map(([header]) => header)
  return refreshHeader === undefined ? names : [...names, refreshHeader]
}

/** What becomes of a protected name in its own spelling; the first that matches counts. */
function protectedRows(policy: ProxyPolicy): readonly (readonly [is: (folded: string) => boolean, Crossing])[] {
  return [
    [foldedNameTest(ourNames(policy)), 'listed'],
    [foldedNameTest([...hopByHopNames, ...ownNames]), 'omitted'],
    [foldedNameTest(rewritingNames), 'listed'],
    [foldedNameTest(forwardingNames), 'forwarding'],
    [foldedNameTest([...policy.headerNames.sources, ...crossingNames]), 'passes'],
  ]
}

function createCrossing(policy: ProxyPolicy): (name: string) => Crossing {
  const { mode, allow, drop } = policy.headerNames
  const protections = protectedRows(policy)
  const isDropped = foldedNameTest(drop)
  const allowed = new Set(allow.map((name) => name.toLowerCase()))
  const isListed = foldedNameTest([...listedNames, ...ourNames(policy), ...policy.headerNames.sources, ...drop])

  const judgeListed = (name: string, folded: string): Crossing => {
    const isStrict = folded === name
    const protection = protections.find(([is]) => is(folded))?.[1]
    if (protection !== undefined) return !isStrict ? 'folded' : isDropped(folded) ? 'listed' : protection
    if (allowed.has(name)) return 'passes'
    if (!isStrict && mode === 'strict') return 'name'
    // A proxy that overwrites its own spelling lets another one of the client through
    return isStrict && isAttested(folded) && !isDropped(folded) ? 'attested' : 'listed'
  }
  return (name) => {
    const folded = foldName(name)
    // Strangers can send ever new names: most are on no list, and that is asked once
    if (isListed(folded)) return judgeListed(name, folded)
    return folded === name || mode === 'token' || allowed.has(name) ? 'passes' : 'name'
  }
}

/**
 * A client that names one of these in Connection wants it gone before the app looks (CVE-2024-45410, CVE-2025-48865), also what
 * a proxy in front says about the client.
 */
function createProtection(policy: ProxyPolicy): (name: string) => boolean {
  const names = [...ourNames(policy), ...policy.headerNames.sources, ...ownNames, 'transfer-encoding']
  const isNamed = foldedNameTest([...names, ...crossingNames, ...forwardingNames, ...namesOf(attestedGroups)])
  return (name) => isNamed(foldName(name))
}

function remembering(judge: (name: string) => Crossing): (name: string) => Crossing {
  const known = new Map<string, Crossing>()
  return (name) => {
    const crossing = known.get(name)
    if (crossing !== undefined) return crossing
    const judged = judge(name)
    if (name.length > REMEMBERED_LENGTH) return judged
    if (known.size === REMEMBERED_NAMES) known.clear()
    known.set(name, judged)
    return judged
  }
}
