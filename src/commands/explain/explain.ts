// `sidegate explain`: the decision on one request, step by step, for people or as JSON.
import type { Argv } from 'yargs'
import type { SettingsArguments } from '../../assembly/settings/read-settings.ts'
import { refusals } from '../../model/refusal.ts'
import { readSettingsAloud, withConfigFlag } from '../setting-flags.ts'
import { ANSWER_IS_NO, argumentOrInput, DONE, type Shell } from '../shell.ts'
import { readTokenArgument } from '../token/pasted-token.ts'
import { type Explained, explainRequest } from './explanation.ts'

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

/** Prints each step and the decision. Answers 0 where the request would be admitted, else 1. */
export async function explain(given: ExplainArguments, shell: Shell): Promise<number> {
  const settings = await readSettingsAloud(given, shell)
  if (settings === undefined) return ANSWER_IS_NO
  const read = readTokenArgument(await argumentOrInput(given.token, shell))
  if ('problem' in read) {
    shell.complain(`Cannot read the token: ${read.problem}`)
    return ANSWER_IS_NO
  }
  const explained = await explainRequest(settings, { ...given, token: read.token }, shell)
  if (given.json) shell.print(JSON.stringify(explained, null, 2))
  else for (const line of lines(explained)) shell.print(line)
  return explained.decision === 'refuse' ? ANSWER_IS_NO : DONE
}

const MARKS = { yes: '✓', no: '✗', unknown: '?', 'not asked': '·' }

function lines(explained: Explained): readonly string[] {
  const { token, steps, refresh, reason, mode } = explained
  const asked = steps.map(
    ({ question, result, answer }) => `${MARKS[result]} ${question.padEnd(36)}${answer || result}`,
  )
  const shadow = mode === 'shadow' && reason !== undefined ? '; in shadow mode it is forwarded and counted' : ''
  const end = [`refresh       ${refresh}`, `decision      ${verdict(explained)}${shadow}`]
  return [...token, '', ...asked, '', ...end]
}

function verdict({ decision, reason, status, steps }: Explained): string {
  if (reason === undefined) {
    if (decision === 'public') return 'admitted, the path is public'
    return steps.some(({ result }) => result === 'unknown') ? 'admitted, if not revoked' : 'admitted'
  }
  return `refused: ${reason} (${status}), ${refusals[reason].sentence}`
}
