// `sidegate revoke` and `sidegate revocations lift`: take tokens back for the whole fleet, or give them back.
import { userInfo } from 'node:os'
import type { Argv } from 'yargs'
import { quote, writtenToJson } from '../../revocation/rule/json.ts'
import { describeRule, prepareRevocation, type RevocationRequest } from '../../revocation/rule/request.ts'
import { isProblem, isRuleKind, type Rule, ruleKinds } from '../../revocation/rule/rule.ts'
import { parseTime } from '../../revocation/rule/time.ts'
import { issuersOf, sessionsBeside } from '../../revocation/rules-beside.ts'
import { ANSWER_IS_NO, argumentOrInput, DONE, type Shell, UsageError } from '../shell.ts'
import { readTokenArgument } from '../token/pasted-token.ts'
import { looksLikeToken } from '../usage.ts'
import { clocksOf, type TargetArguments, withRevocations, withTargetFlags } from './target.ts'

export interface RevokeArguments extends TargetArguments, RevocationRequest {
  readonly json: boolean
}

export function revokeOptions<T>(argv: Argv<T>) {
  const text = (description: string) => ({ type: 'string', requiresArg: true, description }) as const
  return withTargetFlags(argv)
    .option('token', text('The token itself, or - to read it; it is not verified'))
    .option('jti', text('The id of a token'))
    .option('subject', text('Every token of this subject'))
    .option('session', text('Every token of this session (sid), its successors included'))
    .option('client', text('Every token of this client (azp or client_id)'))
    .option('key-id', text('Every token signed with this key'))
    .option('issuer', text('Every token of this issuer; beside another one, it narrows that one'))
    .option('issued-before', text('Only tokens issued at or before this time: ISO 8601, unix seconds or "now"'))
    .option('expires', text('When the rule may go; default: when no such token can be alive any more'))
    .option('reason', text('Why, for the log'))
    .option('json', { type: 'boolean', default: false, description: 'Print the rule as JSON' })
    .example('$0 revoke --redis redis://redis:6379 --jti 7f3c…', 'One token')
    .example('$0 revoke -c sidegate.yaml --subject alice --issued-before now', 'Log alice out everywhere')
}

/** Writes what was asked for; answers 0 only when it is in the list for the whole fleet. */
export async function revoke(given: RevokeArguments, shell: Shell): Promise<number> {
  refuseWrongUsage(given, shell.clock() / 1000)
  const read = given.token === undefined ? undefined : readTokenArgument(await argumentOrInput(given.token, shell))
  if (read !== undefined && 'problem' in read) {
    shell.complain(`Cannot read the token: ${read.problem}`)
    return ANSWER_IS_NO
  }
  const token = read?.token
  return withRevocations(given, shell, async ({ connect, place, ...known }) => {
    const settings = { nowSeconds: shell.clock() / 1000, ...known, actor: actor() }
    const asked = { ...given, token }
    const refused = prepareRevocation(asked, settings)
    if (isProblem(refused)) {
      shell.complain(refused.problem)
      return ANSWER_IS_NO
    }
    const revocations = await connect()
    const prepared = prepareRevocation(asked, { ...settings, ...(await clocksOf(revocations, shell)) })
    if (isProblem(prepared)) {
      shell.complain(prepared.problem)
      return ANSWER_IS_NO
    }
    const written = await revocations.write(prepared.rules)
    if (given.json) for (const rule of written) shell.print(JSON.stringify(writtenToJson(rule)))
    else for (const sentence of [...prepared.sentences, `Written to ${place}`]) shell.print(sentence)
    for (const { replaces } of written)
      if (replaces !== undefined) shell.complain(`It replaces a rule that matched more: ${describeRule(replaces)}`)
    return DONE
  })
}

const TARGETS = {
  token: 'token',
  jti: 'jti',
  subject: 'subject',
  session: 'session',
  client: 'client',
  keyId: 'key-id',
} as const
const TIMES = { issuedBefore: 'issued-before', expires: 'expires' } as const

/** Said before anything is read or connected: such a mistake has nothing to do with the list. */
function refuseWrongUsage(given: RevokeArguments, nowSeconds: number): void {
  const named = keysOf(TARGETS).filter((name) => given[name] !== undefined)
  const flags = (named.length === 0 ? keysOf(TARGETS) : named).map((name) => `--${TARGETS[name]}`)
  if (named.length > 1) throw new UsageError(`Give one of ${flags.join(', ')}, not ${named.length} of them`)
  if (named.length === 0 && given.issuer === undefined)
    throw new UsageError(`Say what to revoke: ${flags.join(', ')} or --issuer`)
  for (const name of keysOf(TIMES)) {
    const text = given[name]
    if (text !== undefined && parseTime(text, nowSeconds) === undefined)
      throw new UsageError(
        `--${TIMES[name]} is not ISO 8601 with a time zone, unix seconds or "now": ${quote(String(text))}`,
      )
  }
}

function keysOf<T extends object>(table: T): readonly (keyof T)[] {
  return Object.keys(table) as (keyof T)[]
}

export interface LiftArguments extends TargetArguments {
  readonly kind: string
  readonly value: string
  readonly issuer?: string | undefined
}

export function liftOptions<T>(argv: Argv<T>) {
  return withTargetFlags(argv)
    .positional('kind', { choices: ruleKinds, demandOption: true, description: 'The kind of the rule' })
    .positional('value', { type: 'string', demandOption: true, description: 'Its value' })
    .option('issuer', { type: 'string', requiresArg: true, description: 'The issuer that the rule is narrowed to' })
}

/** Ends a rule for the whole fleet; answers 1 where there is none. */
export async function lift({ kind, value, issuer, ...given }: LiftArguments, shell: Shell): Promise<number> {
  if (!isRuleKind(kind)) throw new UsageError(`"${kind}" is no kind of rule`)
  if (looksLikeToken(value))
    throw new UsageError(
      'The value is the id that "revocations list" shows, such as the jti of the token, not the token itself',
    )
  return withRevocations(given, shell, async ({ connect, place }) => {
    const revocations = await connect()
    const lifted = await revocations.lift(kind, value, issuer, actor())
    if (lifted === undefined) {
      shell.complain(`No rule for ${kind} ${quote(value)} is in force in ${place}`)
      const issuers = issuersOf(await revocations.list(), kind, value)
      for (const each of issuers) shell.complain(`One of issuer ${quote(each)} is: add --issuer ${inShell(each)}`)
      return ANSWER_IS_NO
    }
    shell.print(`Lifted the rule for ${kind} ${quote(value)} in ${place}`)
    // The rule is lifted by now: a list that cannot be read must not turn that into a failure.
    const rules = kind === 'token' ? await revocations.list().catch(() => []) : []
    for (const session of sessionsBeside(rules, lifted)) shell.print(offerOf(session))
    return DONE
  })
}

function offerOf({ kind, value, issuer }: Rule): string {
  const narrowed = issuer === undefined ? '' : ` --issuer ${inShell(issuer)}`
  const command = `sidegate revocations lift ${kind} ${inShell(value)}${narrowed}`
  return `Its session ${quote(value)} is still revoked; ${command} lifts that too`
}

/** A word as a POSIX shell reads it: who copies the line must not run what a token said. */
function inShell(word: string): string {
  return /^[\w@%+=:,./][\w@%+=:,./-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** Who revokes, for the log: the account at this machine. */
function actor(): string {
  try {
    return `sidegate CLI, ${userInfo().username}`
  } catch {
    return 'sidegate CLI'
  }
}
