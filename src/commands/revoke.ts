// `sidegate revoke` and `sidegate revocations lift`: take tokens back for the whole fleet, or give them back.
import { userInfo } from 'node:os'
import type { Argv } from 'yargs'
import { prepareRevocation, type RevocationRequest } from '../revocation/request.ts'
import { isProblem, isRuleKind, ruleKinds } from '../revocation/rule.ts'
import { ruleToJson } from '../revocation/rule-json.ts'
import { type TargetArguments, withRevocations, withTargetFlags } from './revocation-target.ts'
import { ANSWER_IS_NO, DONE, type Shell, UsageError } from './shell.ts'

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

/** Writes one rule; answers 0 only when it is in the list for the whole fleet. */
export async function revoke(given: RevokeArguments, shell: Shell): Promise<number> {
  const token = given.token === '-' ? (await shell.readInput()).trim() : given.token
  return withRevocations(given, shell, async ({ revocations, maxLifetimeSeconds, place }) => {
    const settings = { nowSeconds: shell.clock() / 1000, maxLifetimeSeconds, actor: actor() }
    const prepared = prepareRevocation({ ...given, token }, settings)
    if (isProblem(prepared)) {
      shell.complain(prepared.problem)
      return ANSWER_IS_NO
    }
    const [written] = await revocations.write([prepared.rule])
    if (given.json && written !== undefined) shell.print(JSON.stringify(ruleToJson(written)))
    else for (const sentence of [...prepared.sentences, `Written to ${place}`]) shell.print(sentence)
    return DONE
  })
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
  return withRevocations(given, shell, async ({ revocations, place }) => {
    const lifted = await revocations.lift(kind, value, issuer)
    if (lifted === undefined) {
      shell.complain(`No rule for ${kind} ${JSON.stringify(value)} is in force in ${place}`)
      return ANSWER_IS_NO
    }
    shell.print(`Lifted the rule for ${kind} ${JSON.stringify(value)}`)
    return DONE
  })
}

/** Who revokes, for the log: the account at this machine. */
function actor(): string {
  try {
    return `sidegate CLI, ${userInfo().username}`
  } catch {
    return 'sidegate CLI'
  }
}
