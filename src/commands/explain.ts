// `sidegate explain`: the decision on one request, step by step. It asks the gate itself, with questions that write down
// what they were asked and what they answered, so that it can never tell another story than the proxy does.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Argv } from 'yargs'
import { buildGate } from '../assembly/gate.ts'
import { createIssuers } from '../assembly/issuers.ts'
import { buildRevocations } from '../assembly/revocations.ts'
import type { Config } from '../config/options.ts'
import { createGate, judgeTime, type Questions } from '../gate.ts'
import type { Decision, VerifiedToken } from '../model/decision.ts'
import { isRefusal, type Refusal, refusals, statusOf } from '../model/refusal.ts'
import { sessionEndSeconds, successor } from '../refresh/successor.ts'
import { silentLog, silentObserver } from '../revocation/report.ts'
import { sentenceOf } from '../revocation/request.ts'
import type { Revocations } from '../revocation/revocations.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { createTokenMemory } from '../token/memory.ts'
import { readToken } from '../token/read.ts'
import { createVerifier } from '../token/verify.ts'
import { describeTimes, distance, isoTime } from './describe-times.ts'
import { readSettingsAloud, type Settings, type SettingsArguments, withConfigFlag } from './settings.ts'
import { ANSWER_IS_NO, DONE, type Shell } from './shell.ts'

const LIST_WAIT_MS = 3_000

export interface ExplainArguments extends SettingsArguments {
  readonly token: string
  readonly method: string
  readonly path: string
  readonly json: boolean
}

export function explainOptions<T>(argv: Argv<T>) {
  return withConfigFlag(argv)
    .demandOption('config')
    .positional('token', { type: 'string', demandOption: true, description: 'The token, or - to read it' })
    .option('method', { type: 'string', default: 'GET', description: 'The method of the request' })
    .option('path', { type: 'string', default: '/', description: 'The path of the request' })
    .option('json', { type: 'boolean', default: false, description: 'Print the steps as JSON' })
    .example('$0 explain -c sidegate.yaml --path /admin/users eyJ…', 'Why is this request refused?')
}

/** A question and its answer, for people. */
interface Step {
  readonly question: string
  readonly result: 'yes' | 'no' | 'not asked'
  readonly answer: string
}

/** Prints each step and the decision. Answers 0 where the request would be admitted, else 1. */
export async function explain(given: ExplainArguments, shell: Shell): Promise<number> {
  const settings = await readSettingsAloud(given, shell)
  if (settings === undefined) return ANSWER_IS_NO
  const text = given.token === '-' ? (await shell.readInput()).trim() : given.token
  const explained = await explainRequest(settings, { ...given, token: text }, shell)
  if (given.json) shell.print(JSON.stringify(explained, null, 2))
  else printSteps(explained, shell)
  return explained.decision === 'refuse' ? ANSWER_IS_NO : DONE
}

interface Explained {
  readonly decision: string
  readonly reason?: string
  readonly status?: number
  readonly steps: readonly Step[]
  readonly token: readonly string[]
  readonly refresh: string
}

async function explainRequest(settings: Settings, request: ExplainArguments, shell: Shell): Promise<Explained> {
  const { config, materials } = settings
  const { clock } = shell
  const metrics = createMetrics()
  const log = createLog({ level: 'silent', format: 'json' }, { isTerminal: false, to: 2 })
  const issuers = createIssuers({ fetch: globalThis.fetch, clock, metrics, log })
  const revocations = buildRevocations({ config, materials, clock, observe: silentObserver, log: silentLog })
  try {
    revocations.start()
    await untilReady(revocations)
    const trusted = issuers.build(config, materials)
    const monotonic = () => performance.now()
    const { questions } = buildGate({ config, materials, issuers: trusted, revocations, metrics, clock, monotonic })
    const steps: Step[] = []
    let seen: VerifiedToken | undefined
    const recorded = record(questions, steps, config, revocations, (token) => {
      seen = token
    })
    const [path = '/', query = ''] = request.path.split('?', 2)
    const headers = ['authorization', `Bearer ${request.token}`]
    const decision = await createGate({
      ...recorded,
      extract: () => ({ token: request.token, source: { header: 'authorization' } }),
    })({
      method: request.method,
      path,
      query,
      headers,
    })
    if (isRefusal(decision) && decision.reason === 'token_expired')
      steps.push(await judgeSignatureAnyway(request.token, trusted))
    return {
      ...verdictOf(decision),
      steps: [...steps, ...unasked(steps)],
      token: describeToken(request.token, clock() / 1000),
      refresh: describeRefresh(config, seen ?? (isRefusal(decision) ? undefined : decision.token), clock() / 1000),
    }
  } finally {
    issuers.stop()
    await revocations.stop()
  }
}

/** The same questions; each writes a step when it is asked. */
function record(
  questions: Questions,
  steps: Step[],
  config: Config,
  revocations: Revocations,
  onVerified: (token: VerifiedToken) => void,
): Questions {
  const note = (question: string, answer: string | Refusal) => {
    if (typeof answer === 'string') steps.push({ question, result: 'yes', answer })
    else steps.push({ question, result: 'no', answer: describeRefusal(answer) })
  }
  return {
    ...questions,
    route: (view) => {
      const route = questions.route(view)
      note(
        QUESTIONS[0],
        isRefusal(route) ? route : `rule ${(route as { path?: string }).path}${route.isPublic ? ', public' : ''}`,
      )
      if (isRefusal(route)) return route
      return {
        ...route,
        lacks: (token) => {
          const lacking = route.lacks(token)
          note(QUESTIONS[4], lacking ?? 'it has what the rule asks for')
          return lacking
        },
      }
    },
    verify: async (text) => {
      const token = await questions.verify(text)
      if (isRefusal(token)) note(QUESTIONS[1], token)
      else {
        onVerified(token)
        const key = token.keyId === undefined ? 'a key without kid' : `key "${token.keyId}"`
        note(QUESTIONS[1], `${token.algorithm} by ${key} of ${token.issuer}`)
        note(QUESTIONS[2], judgeTime(token, questions.clock() / 1000) ?? describeClock(token, questions.clock() / 1000))
      }
      return token
    },
    revocation: async (token) => {
      const answer = await questions.revocation(token)
      const verdict = await revocations.check(token)
      const known =
        config.revocation.redis === undefined
          ? 'not known here: the list is in the memory of the running gate'
          : `no rule matches, the list is ${Math.round(revocations.ageMs())} ms old`
      if (verdict.state === 'revoked') note(QUESTIONS[3], refusalFor('token_revoked', sentenceOf(verdict.rule)))
      else
        note(
          QUESTIONS[3],
          answer === 'stale' ? refusalFor('revocation_stale', 'the list is too old or cannot be had') : known,
        )
      return answer
    },
  }
}

const QUESTIONS = [
  'Which rule covers the path?',
  'Is the token one of ours?',
  'Is it in its time?',
  'Was it revoked?',
  'Has it what the rule asks for?',
] as const

function unasked(steps: readonly Step[]): readonly Step[] {
  return QUESTIONS.filter((question) => !steps.some((step) => step.question === question)).map((question) => ({
    question,
    result: 'not asked',
    answer: '',
  }))
}

function refusalFor(reason: Refusal['reason'], detail: string): Refusal {
  return { decision: 'refuse', reason, detail }
}

function describeRefusal(refusal: Refusal): string {
  return refusal.detail === undefined ? refusal.reason : `${refusal.reason}: ${refusal.detail}`
}

function describeClock(token: VerifiedToken, nowSeconds: number): string {
  return `it expires ${distance(token.claims.exp - nowSeconds)} (${isoTime(token.claims.exp)})`
}

/** An expired token is refused before its signature; for a person it matters whether it was ours at all. */
async function judgeSignatureAnyway(
  text: string,
  issuers: Parameters<typeof createVerifier>[0]['issuers'],
): Promise<Step> {
  const question = 'Was it one of ours while it lasted?'
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
  const { iss, sub, aud, jti, sid, scope } = token.payload
  const known = Object.entries({ iss, sub, aud, jti, sid, scope }).filter(([, value]) => value !== undefined)
  return [
    ...known.map(([name, value]) => `${name.padEnd(14)}${JSON.stringify(value)}`),
    ...describeTimes(token.payload, nowSeconds),
  ]
}

function describeRefresh(config: Config, token: VerifiedToken | undefined, nowSeconds: number): string {
  const { refresh } = config
  if (refresh === undefined) return 'off: the settings have no "refresh"'
  if (token === undefined) return 'none: only an admitted token gets a successor'
  const policy = {
    windowSeconds: refresh.window / 1000,
    lifetimeSeconds: refresh.lifetime / 1000,
    maxSessionSeconds: refresh.maxSession / 1000,
  }
  const sessionEnd = sessionEndSeconds(token, policy)
  if (successor(token, policy) === undefined) return `none: the session ends ${distance(sessionEnd - nowSeconds)}`
  const begins = token.claims.exp - policy.windowSeconds
  const when = begins <= nowSeconds ? 'now' : distance(begins - nowSeconds)
  return `a successor is given ${when}; the session ends ${distance(sessionEnd - nowSeconds)} (${isoTime(sessionEnd)})`
}

function verdictOf(decision: Decision): { decision: string; reason?: string; status?: number } {
  if (!isRefusal(decision)) return { decision: decision.decision }
  return { decision: 'refuse', reason: decision.reason, status: statusOf(decision) }
}

function printSteps(explained: Explained, shell: Shell): void {
  for (const line of explained.token) shell.print(line)
  shell.print('')
  const marks = { yes: '✓', no: '✗', 'not asked': '·' }
  for (const { question, result, answer } of explained.steps)
    shell.print(`${marks[result]} ${question.padEnd(36)}${result === 'not asked' ? 'not asked' : answer}`)
  shell.print('')
  shell.print(`refresh       ${explained.refresh}`)
  const { decision, reason, status } = explained
  if (reason === undefined)
    shell.print(`decision      ${decision === 'public' ? 'admitted, the path is public' : 'admitted'}`)
  else shell.print(`decision      refused: ${reason} (${status}), ${refusals[reason as Refusal['reason']].sentence}`)
}

/** Waits a moment for the list, so that a healthy Redis is not called stale. */
async function untilReady(revocations: Revocations): Promise<void> {
  for (let waitedMs = 0; waitedMs < LIST_WAIT_MS && !revocations.readiness().ready; waitedMs += 20) await sleep(20)
}
