// Why is a request decided as it is? Asks the gate itself, with questions that write down what they answered, so that it
// can never tell another story than the proxy does. It holds no secret and no signature.
import { setTimeout as sleep } from 'node:timers/promises'
import { createIssuers } from '../../assembly/issuers.ts'
import { createOutbound } from '../../assembly/outbound.ts'
import { buildRevocations, createRevocationTimes } from '../../assembly/revocations.ts'
import type { Settings } from '../../assembly/settings/read-settings.ts'
import { buildGate } from '../../assembly/settings/settings-in-force.ts'
import type { Config } from '../../config/options.ts'
import { judgeTime } from '../../gate/admission.ts'
import { createGate, type Questions } from '../../gate/gate.ts'
import type { RequestView, VerifiedToken } from '../../model/decision.ts'
import { isRefusal, type Reason, type Refusal, refuse, statusOf } from '../../model/refusal.ts'
import { silentLog, silentObserver } from '../../revocation/log/report.ts'
import type { Revocations } from '../../revocation/revocations.ts'
import { sentenceOf } from '../../revocation/rule/request.ts'
import type { Rule } from '../../revocation/rule/rule.ts'
import { createLog } from '../../telemetry/logs/log.ts'
import { createMetrics } from '../../telemetry/metrics/metrics.ts'
import { readToken } from '../../token/read.ts'
import { createTokenMemory } from '../../token/verified-cache.ts'
import { createVerifier, type Issuer } from '../../token/verify.ts'
import type { Shell } from '../shell.ts'
import { describeTimes, distance, isoTime } from '../token/describe-times.ts'
import { type ExplainedRefresh, explainRefresh } from './describe-refresh.ts'

const LIST_WAIT_MS = 3_000

/** A question of the gate and its answer, for people. */
export interface Step {
  readonly question: string
  /** `unknown`: only a running gate can tell, as the list is in its memory or could not be read. */
  readonly result: 'yes' | 'no' | 'unknown' | 'not asked'
  readonly answer: string
}

export interface Explained extends ExplainedRefresh {
  readonly decision: string
  readonly reason?: Reason
  readonly status?: number
  readonly steps: readonly Step[]
  /** What the token says of itself. */
  readonly token: readonly string[]
  /** In `shadow`, the gate forwards what is refused here. */
  readonly mode: Config['mode']
}

export interface ExplainedRequest {
  readonly method: string
  /** The request target: path and query. */
  readonly path: string
  readonly token: string
}

/** Answers each step of the decision on this request, which carries the token where the settings look for it first. */
export async function explainRequest(
  settings: Settings,
  request: ExplainedRequest,
  { clock, environment }: Pick<Shell, 'clock' | 'environment'>,
): Promise<Explained> {
  const { config, materials } = settings
  const metrics = createMetrics()
  const log = createLog({ level: 'silent', format: 'json' }, { isTerminal: false, to: { write: () => {} } })
  const monotonic = () => performance.now()
  const outbound = createOutbound({ proxy: () => config.outbound.proxy, environment, log })
  const outside = { metrics, log, outbound, clock, monotonic }
  const issuers = createIssuers(outside)
  const { revocations } = buildRevocations({
    config,
    times: createRevocationTimes(config),
    materials: () => materials,
    clock,
    monotonic,
    observe: silentObserver,
    log: silentLog,
  })
  try {
    revocations.start()
    await untilReady(revocations)
    const trusted = issuers.build(config, materials)
    const { questions } = buildGate({ config, materials, issuers: trusted, revocations, ...outside })
    const recording = record(questions, config, revocations)
    const decision = await createGate(recording.questions)(viewOf(request, config))
    const { steps } = recording
    if (isRefusal(decision) && decision.reason === 'token_expired') steps.push(await judgeOnce(request.token, trusted))
    return {
      decision: decision.decision,
      ...(isRefusal(decision) ? { reason: decision.reason, status: statusOf(decision) } : {}),
      steps: [...steps, ...unasked(steps)],
      token: describeToken(request.token, clock() / 1000),
      ...(await explainRefresh(config, materials.ownKeys, decision, clock() / 1000)),
      mode: config.mode,
    }
  } finally {
    issuers.stop()
    await revocations.stop()
  }
}

/** The request as it would come, with the token where the settings look first. */
function viewOf({ method, path: target, token }: ExplainedRequest, config: Config): RequestView {
  const queryAt = target.indexOf('?')
  const path = queryAt === -1 ? target : target.slice(0, queryAt)
  const query = queryAt === -1 ? '' : target.slice(queryAt + 1)
  const [source = { header: 'authorization' }] = config.tokens.sources
  if ('header' in source) return { method, path, query, headers: [source.header, `Bearer ${token}`] }
  if ('cookie' in source) return { method, path, query, headers: ['cookie', `${source.cookie}=${token}`] }
  return { method, path, query: [query, `${source.query}=${token}`].filter(Boolean).join('&'), headers: [] }
}

const ROUTE = 'Which rule covers the path?'
const TOKEN = 'Is there exactly one token?'
const OURS = 'Is the token one of ours?'
const TIME = 'Is it in its time?'
const REVOKED = 'Is it still standing, not revoked?'
const REQUIREMENTS = 'Has it what the rule asks for?'

interface Recording {
  readonly questions: Questions
  readonly steps: Step[]
}

/** The same questions; each writes a step when it is asked. */
function record(questions: Questions, config: Config, revocations: Revocations): Recording {
  const steps: Step[] = []
  const note = (question: string, answer: string | Refusal) => {
    if (typeof answer === 'string') steps.push({ question, result: 'yes', answer })
    else steps.push({ question, result: 'no', answer: describeRefusal(answer) })
  }

  const unknown = (answer: string) => steps.push({ question: REVOKED, result: 'unknown', answer })

  const route: Questions['route'] = (view) => {
    const found = questions.route(view)
    if (isRefusal(found)) {
      note(ROUTE, found)
      return found
    }
    note(ROUTE, found.isPublic ? `${found.path}, which is public` : found.path)
    const lacks = (token: VerifiedToken) => {
      const lacking = found.lacks(token)
      note(REQUIREMENTS, lacking ?? 'yes')
      return lacking
    }
    return { ...found, lacks }
  }

  const extract: Questions['extract'] = (view) => {
    const found = questions.extract(view)
    note(
      TOKEN,
      isRefusal(found)
        ? found
        : `one, as in the ${found.sources.map((source) => Object.entries(source).flat().join(' ')).join(' and the ')}`,
    )
    return found
  }

  const verify: Questions['verify'] = async (text) => {
    const token = await questions.verify(text)
    if (isRefusal(token)) {
      note(OURS, token)
      return token
    }
    const { iss } = token.claims
    const from = iss === token.issuer ? '' : `, a successor from ${iss}`
    note(OURS, `${token.algorithm}, key ${JSON.stringify(token.keyId ?? 'without kid')}, issuer ${token.issuer}${from}`)
    const nowSeconds = questions.clock() / 1000
    const until = `it expires ${distance(token.claims.exp - nowSeconds)} (${isoTime(token.claims.exp)})`
    note(TIME, judgeTime(token, nowSeconds) ?? until)
    return token
  }

  const revocation: Questions['revocation'] = async (token) => {
    const answer = await questions.revocation(token)
    const verdict = await revocations.check(token)
    if (verdict.state === 'revoked')
      note(REVOKED, refuse('token_revoked', { detail: describeRevocation(verdict.rule, token) }))
    else if (answer === 'stale') note(REVOKED, refuse('revocation_stale', { detail: revocations.readiness().detail }))
    else if (verdict.state === 'clear' && verdict.degraded)
      unknown(`unknown, and "whenStale" says to go on: ${revocations.readiness().detail}`)
    else if (config.revocation.redis === undefined) unknown('unknown: the list is in the memory of each running gate')
    else note(REVOKED, `no rule matches it, ${revocations.readiness().detail}`)
    return answer
  }

  return { questions: { ...questions, route, extract, verify, revocation }, steps }
}

function unasked(steps: readonly Step[]): readonly Step[] {
  return [ROUTE, TOKEN, OURS, TIME, REVOKED, REQUIREMENTS]
    .filter((question) => !steps.some((step) => step.question === question))
    .map((question) => ({ question, result: 'not asked', answer: '' }))
}

function describeRevocation(rule: Rule, token: VerifiedToken): string {
  const isOfFirst = rule.kind === 'token' && rule.value !== token.id
  return isOfFirst ? `${sentenceOf(rule)}; its session began with that token` : sentenceOf(rule)
}

function describeRefusal(refusal: Refusal): string {
  return refusal.detail === undefined ? refusal.reason : `${refusal.reason}: ${refusal.detail}`
}

/** An expired token is refused before its signature is verified; for a person it matters whether it ever was ours. */
async function judgeOnce(text: string, issuers: readonly Issuer[]): Promise<Step> {
  const question = 'Was it ours while it lasted?'
  const token = readToken(text)
  const exp = isRefusal(token) ? 0 : Number(token.payload.exp)
  const verify = createVerifier({
    issuers,
    memory: createTokenMemory({ maxEntries: 1, maxBytes: 1_000_000, onEvict: () => {} }),
    clock: () => (exp - 1) * 1000,
    monotonic: () => 0,
    observe: () => {},
  })
  const verified = await verify(text)
  if (isRefusal(verified)) return { question, result: 'no', answer: describeRefusal(verified) }
  return { question, result: 'yes', answer: `its signature is right (${verified.algorithm})` }
}

function describeToken(text: string, nowSeconds: number): readonly string[] {
  const token = readToken(text)
  if (isRefusal(token)) return []
  const { iss, original_issuer, sub, aud, jti, sid, scope } = token.payload
  const known = Object.entries({ iss, original_issuer, sub, aud, jti, sid, scope }).filter(
    ([, value]) => value !== undefined,
  )
  const claims = known.map(([name, value]) => `${name.padEnd(13)} ${JSON.stringify(value)}`)
  return [...claims, ...describeTimes(token.payload, nowSeconds)]
}

/** Waits a moment for the list, so that a healthy Redis is not called stale. */
async function untilReady(revocations: Revocations): Promise<void> {
  for (let waitedMs = 0; waitedMs < LIST_WAIT_MS && !revocations.readiness().ready; waitedMs += 20) await sleep(20)
}
