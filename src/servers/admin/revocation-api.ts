// The revocation API of the admin port, and RFC 7009. It says yes only when the rule is written for the whole fleet, and
// refuses a rule that can never match instead of a silent yes. Only with the admin token; without one configured, the
// API answers 404.

import { type Answer, json, problem } from '../../http/answer.ts'
import { readBody } from '../../http/body.ts'
import type { VerifiedToken } from '../../model/decision.ts'
import { peerAddress } from '../../model/peer-address.ts'
import { isRefusal, type Refusal, statusOf } from '../../model/refusal.ts'
import { PartlyWrittenError, writeInBatches } from '../../revocation/log/writing/batches.ts'
import type { Revocations } from '../../revocation/revocations.ts'
import { parseRule, type RuleSettings, ruleToJson, writtenToJson } from '../../revocation/rule/json.ts'
import { RULES_PER_WRITE, readJsonLines } from '../../revocation/rule/lines.ts'
import { prepareRevocation, sentenceOf } from '../../revocation/rule/request.ts'
import type { WrittenRule } from '../../revocation/rule/rule.ts'
import { isProblem, isRuleKind, type Rule, type RuleKind, ruleKinds } from '../../revocation/rule/rule.ts'
import { issuersOf, sessionsBeside } from '../../revocation/rules-beside.ts'
import { type Authenticate, whenGranted } from './authenticate.ts'
import type { AdminRequest } from './request.ts'

const MAXIMUM_BYTES = 1024 * 1024
/** Some hundred thousand rules. All are read before the first is written, so they are in memory at once. */
const MAXIMUM_LINES_BYTES = 16 * MAXIMUM_BYTES
const PROBLEMS_SHOWN = 20
/** As a verifier may accept a token a little past its `exp`. */
const GRACE_SECONDS = 60

export interface RevocationApiParts {
  readonly revocations: Pick<Revocations, 'write' | 'list' | 'lift' | 'timeMs'>
  /** Judges the `Authorization` header. */
  readonly authenticate: Authenticate
  readonly maxLifetimeSeconds: () => number
  /** The longest session, where gates sign successors. */
  readonly maxSessionSeconds: () => number | undefined
  /** The same, where the identity provider issues the next tokens. */
  readonly exchangedSessionSeconds: () => number | undefined
  /** The proof that a token is, or was, one of the configured issuers' own; its time aside. */
  readonly identify: (token: string) => Promise<VerifiedToken | Refusal>
  /** The configured issuers. */
  readonly issuers: () => readonly string[]
  /** The audit: who did what, when, why. */
  readonly audit: (action: 'revoke' | 'lift', rule: Rule) => void
}

/** Makes the function that answers requests for the API, or nothing where the path is not one of its own. */
export function createRevocationApi(
  parts: RevocationApiParts,
): (request: AdminRequest, url: URL) => Promise<Answer | undefined> {
  return async (request, url) => {
    const handle = handlerFor(request, url, parts)
    if (handle === undefined) return undefined
    return whenGranted(request, parts.authenticate, handle)
  }
}

function handlerFor(
  request: AdminRequest,
  url: URL,
  parts: RevocationApiParts,
): (() => Promise<Answer> | Answer) | undefined {
  const { method } = request
  if (url.pathname === '/oauth/revoke')
    return method === 'POST' ? () => revokeToken(request, parts) : () => notAllowed('POST')
  if (url.pathname === '/revocations') {
    if (method === 'GET') return () => listRules(parts)
    return method === 'POST' ? () => writeRules(request, parts) : () => notAllowed('GET, POST')
  }
  if (!url.pathname.startsWith('/revocations/')) return undefined
  return method === 'DELETE' ? () => liftRule(url, request, parts) : () => notAllowed('DELETE')
}

async function listRules(parts: RevocationApiParts): Promise<Answer> {
  return json(200, { revocations: (await parts.revocations.list()).map(ruleToJson) })
}

async function writeRules(request: AdminRequest, parts: RevocationApiParts): Promise<Answer> {
  if (isLines(request.headers['content-type'])) return writeLines(request, parts)
  const body = await readBody(request, MAXIMUM_BYTES)
  if (body === undefined) return tooLarge()
  const parsed = parseJson(body)
  if (parsed === undefined) return badRequest('The body is not JSON; send one rule or a list of rules')
  const inputs: readonly unknown[] = Array.isArray(parsed) ? parsed : [parsed]
  if (inputs.length > RULES_PER_WRITE)
    return badRequest(`At most ${RULES_PER_WRITE} rules can be written at once; send more as application/x-ndjson`)
  const settings = await settingsFor(request, parts)
  const rules: Rule[] = []
  for (const [index, input] of inputs.entries()) {
    const rule = parseRule(input, settings)
    if (isProblem(rule)) return badRequest(Array.isArray(parsed) ? `Rule ${index}: ${rule.problem}` : rule.problem)
    rules.push(rule)
  }
  const written = await write(rules, parts)
  if ('status' in written) return written
  return json(201, { revocations: written.map(writtenToJson), effects: written.map(sentenceOf) })
}

/** More rules than one transaction takes: a JSON rule a line. All are read before the first is written. */
async function writeLines(request: AdminRequest, parts: RevocationApiParts): Promise<Answer> {
  const body = await readBody(request, MAXIMUM_LINES_BYTES)
  if (body === undefined) return tooLarge()
  const { rules, problems } = readJsonLines(body, await settingsFor(request, parts))
  if (problems.length > 0) {
    const shown = problems.slice(0, PROBLEMS_SHOWN).join('\n')
    return badRequest(`Nothing was written, ${problems.length} lines are wrong:\n${shown}`)
  }
  try {
    const written = await writeInBatches(rules, parts.revocations.write)
    for (const rule of written) parts.audit('revoke', rule)
    const replaced = written.flatMap(({ replaces }) => (replaces === undefined ? [] : ruleToJson(replaces)))
    return json(201, { written: written.length, ...(replaced.length > 0 && { replaced }) })
  } catch (error) {
    if (error instanceof PartlyWrittenError) for (const rule of error.written) parts.audit('revoke', rule)
    return notWritten(error)
  }
}

function isLines(contentType: string | undefined): boolean {
  return /^application\/(?:x-ndjson|jsonl|x-jsonlines)\b/i.test(contentType ?? '')
}

/** A rule that a program wrote, for a token of which only the signature was verified: it lasts no longer than one of ours can. */
function ofAnyone(rule: Rule, { nowSeconds, maxLifetimeSeconds, ...settings }: RuleSettings): Rule {
  const { maxSessionSeconds, exchangedSessionSeconds = 0 } = settings
  const sessionSeconds = typeof maxSessionSeconds === 'number' ? maxSessionSeconds : exchangedSessionSeconds
  const longestSeconds = rule.kind === 'session' ? Math.max(sessionSeconds, maxLifetimeSeconds) : maxLifetimeSeconds
  const latestSeconds = Math.ceil(nowSeconds + longestSeconds) + GRACE_SECONDS
  return { ...rule, source: 'rfc7009', expiresAtSeconds: Math.min(rule.expiresAtSeconds, latestSeconds) }
}

function notVerified(): Answer {
  const why = 'The token cannot be verified: the keys of its issuer are not available at the moment'
  return problem(503, 'Not written', why, { 'retry-after': '1' })
}

/** RFC 7009 section 2.2: a token that is unknown, invalid or expired is answered 200, as there is nothing left to do. */
async function revokeToken(request: AdminRequest, parts: RevocationApiParts): Promise<Answer> {
  const body = await readBody(request, MAXIMUM_BYTES)
  if (body === undefined) return tooLarge()
  const tokens = new URLSearchParams(body).getAll('token')
  const [token] = tokens
  if (tokens.length !== 1 || token === undefined || token === '') return json(400, { error: 'invalid_request' })
  const identified = await parts.identify(token)
  if (isRefusal(identified)) return statusOf(identified) >= 500 ? notVerified() : json(200, {})
  const settings = await settingsFor(request, parts)
  const prepared = prepareRevocation({ token }, settings)
  if (isProblem(prepared)) return json(200, {})
  const written = await write(
    prepared.rules.map((rule) => ofAnyone(rule, settings)),
    parts,
  )
  return 'status' in written ? written : json(200, {})
}

async function liftRule(url: URL, request: AdminRequest, parts: RevocationApiParts): Promise<Answer> {
  const [, , kind, encoded, ...more] = url.pathname.split('/')
  const value = decode(encoded ?? '')
  if (!isRuleKind(kind) || value === undefined || value === '' || more.length > 0)
    return badRequest(`The path is /revocations/<kind>/<value>, the kind one of: ${ruleKinds.join(', ')}`)
  try {
    const actor = actorOf(request)
    const lifted = await parts.revocations.lift(kind, value, url.searchParams.get('issuer') ?? undefined, actor)
    if (lifted === undefined) return notInForce(kind, value, await parts.revocations.list())
    parts.audit('lift', { ...lifted, actor })
    // The rule is lifted by now: a list that cannot be read must not turn that into a failure.
    const rules = lifted.kind === 'token' ? await parts.revocations.list().catch(() => []) : []
    const alsoInForce = sessionsBeside(rules, lifted).map((rule) => ({ ...ruleToJson(rule), lift: liftLine(rule) }))
    if (alsoInForce.length > 0) return json(200, { alsoInForce })
    return { status: 204, contentType: 'application/json', body: '' }
  } catch (error) {
    return notWritten(error)
  }
}

function notInForce(kind: RuleKind, value: string, rules: readonly Rule[]): Answer {
  const lines = issuersOf(rules, kind, value).map((issuer) => liftLine({ kind, value, issuer }))
  const none = 'No rule of this kind and value is in force'
  if (lines.length === 0) return problem(404, 'Not found', none)
  return problem(
    404,
    'Not found',
    `${none} for the issuer asked for; what is in force is lifted by: ${lines.join(', ')}`,
  )
}

function liftLine({ kind, value, issuer }: Pick<Rule, 'kind' | 'value' | 'issuer'>): string {
  const narrowed = issuer === undefined ? '' : `?issuer=${encodeURIComponent(issuer)}`
  return `DELETE /revocations/${kind}/${encodeURIComponent(value)}${narrowed}`
}

async function write(rules: readonly Rule[], parts: RevocationApiParts): Promise<readonly WrittenRule[] | Answer> {
  try {
    const written = await parts.revocations.write(rules)
    for (const rule of written) parts.audit('revoke', rule)
    return written
  } catch (error) {
    return notWritten(error)
  }
}

async function settingsFor(request: AdminRequest, parts: RevocationApiParts): Promise<RuleSettings> {
  return {
    nowSeconds: (await parts.revocations.timeMs()) / 1000,
    maxLifetimeSeconds: parts.maxLifetimeSeconds(),
    maxSessionSeconds: parts.maxSessionSeconds(),
    exchangedSessionSeconds: parts.exchangedSessionSeconds(),
    issuers: parts.issuers(),
    actor: actorOf(request),
  }
}

function actorOf(request: AdminRequest): string {
  return `admin API, ${peerAddress(request.socket.remoteAddress)}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function badRequest(detail: string): Answer {
  return problem(400, 'Bad request', detail)
}

function tooLarge(): Answer {
  return problem(
    413,
    'Content too large',
    'The body may have at most 1 MiB, or 16 MiB of lines as application/x-ndjson',
  )
}

function notAllowed(methods: string): Answer {
  return problem(405, 'Method not allowed', `Use ${methods}`, { allow: methods })
}

function notWritten(error: unknown): Answer {
  const why = error instanceof Error ? error.message : 'unknown'
  return problem(503, 'Not written', `The revocation is not certain: ${why}`, { 'retry-after': '1' })
}
