// `sidegate revocations list` and `sidegate revocations import`: the whole list out, and many rules in.
import { readFile } from 'node:fs/promises'
import type { Argv } from 'yargs'
import { writeInBatches } from '../../revocation/log/writing/batches.ts'
import { type RuleSettings, ruleToJson } from '../../revocation/rule/json.ts'
import { type RuleLines, readJsonLines, readKeyLines } from '../../revocation/rule/lines.ts'
import { describeRule } from '../../revocation/rule/request.ts'
import { ANSWER_IS_NO, DONE, FROM_INPUT, type Shell, UsageError } from '../shell.ts'
import { clocksOf, type TargetArguments, withRevocations, withTargetFlags } from './target.ts'

const PROBLEMS_SHOWN = 20
const REPLACED_SHOWN = 20

export interface ListArguments extends TargetArguments {
  readonly json: boolean
}

export function listOptions<T>(argv: Argv<T>) {
  return withTargetFlags(argv).option('json', {
    type: 'boolean',
    default: false,
    description: 'One JSON rule a line, as "import" reads them',
  })
}

/** Prints every rule in force, the oldest first. */
export async function listRevocations(given: ListArguments, shell: Shell): Promise<number> {
  return withRevocations(given, shell, async ({ connect, place }) => {
    const rules = [...(await (await connect()).list())].sort((one, other) => one.atMs - other.atMs).map(ruleToJson)
    if (given.json) for (const rule of rules) shell.print(JSON.stringify(rule))
    else {
      for (const rule of rules) {
        const notes = [
          rule.issuer && `issuer ${rule.issuer}`,
          rule.issuedBefore && `issued before ${rule.issuedBefore}`,
        ]
        const end = `until ${rule.expiresAt}`
        shell.print(
          [rule.at, rule.kind.padEnd(8), rule.value, ...notes.filter(Boolean), end, rule.reason].join('  ').trimEnd(),
        )
      }
      shell.print(`${rules.length} ${rules.length === 1 ? 'rule' : 'rules'} in ${place}`)
    }
    return DONE
  })
}

export interface ImportArguments extends TargetArguments {
  readonly file: string
  readonly keys?: string | undefined
}

export function importOptions<T>(argv: Argv<T>) {
  return withTargetFlags(argv)
    .positional('file', {
      type: 'string',
      demandOption: true,
      description: 'A file with one JSON rule a line, or - to read them',
    })
    .option('keys', {
      type: 'string',
      requiresArg: true,
      description: 'The lines are keys of another list, as in "revoked:{jti}", each with its TTL behind it if known',
    })
    .example('$0 revocations import rules.jsonl -c sidegate.yaml', 'Rules as "list --json" prints them')
    .example('$0 revocations import keys.txt -c sidegate.yaml --keys "revoked:{jti}"', 'The keys of an existing list')
}

/** Writes many rules. Every line is read before the first one is written: a problem anywhere writes nothing. */
export async function importRevocations(given: ImportArguments, shell: Shell): Promise<number> {
  let text: string
  try {
    text = given.file === FROM_INPUT ? await shell.readInput() : await readFile(given.file, 'utf8')
  } catch {
    shell.complain(`Cannot read "${given.file}"`)
    return ANSWER_IS_NO
  }
  return withRevocations(given, shell, async ({ connect, maxLifetimeSeconds, issuers, place }) => {
    const settings = { nowSeconds: shell.clock() / 1000, maxLifetimeSeconds, issuers, actor: 'sidegate CLI, import' }
    const readLines = (read: RuleSettings) =>
      given.keys === undefined ? readJsonLines(text, read) : readKeyLines(text, given.keys, read)
    const checked = readLines(settings)
    if ('problem' in checked) throw new UsageError(checked.problem)
    if (checked.problems.length > 0) return complainOf(checked.problems, shell)
    const revocations = await connect()
    // Read again by the clock of Redis: "now" in a line means that one.
    const { rules, problems } = readLines({ ...settings, ...(await clocksOf(revocations, shell)) }) as RuleLines
    if (problems.length > 0) return complainOf(problems, shell)
    const replaced = (await writeInBatches(rules, revocations.write)).flatMap(({ replaces }) => replaces ?? [])
    shell.print(`Wrote ${rules.length} ${rules.length === 1 ? 'rule' : 'rules'} to ${place}`)
    if (replaced.length > 0) {
      shell.complain(
        `${replaced.length} of them ${replaced.length === 1 ? 'replaces' : 'replace'} a rule that matched more`,
      )
      for (const rule of replaced.slice(0, REPLACED_SHOWN)) shell.complain(`  ${describeRule(rule)}`)
    }
    return DONE
  })
}

function complainOf(problems: readonly string[], shell: Shell): number {
  shell.complain(`Nothing was written: ${problems.length} ${problems.length === 1 ? 'line is' : 'lines are'} wrong`)
  for (const problem of problems.slice(0, PROBLEMS_SHOWN)) shell.complain(`  ${problem}`)
  return ANSWER_IS_NO
}
