// `sidegate check`: everything that can be known before a start, every problem in one run.
import type { Argv } from 'yargs'
import { readSettings, type SettingsArguments } from '../../assembly/settings/read-settings.ts'
import { describeConfig } from '../../config/redact.ts'
import { readSettingsAloud, withSettingFlags } from '../setting-flags.ts'
import { ANSWER_IS_NO, DONE, type Shell } from '../shell.ts'

export function checkOptions<T>(argv: Argv<T>) {
  return withSettingFlags(argv).option('json', {
    type: 'boolean',
    default: false,
    description: 'Print problems, or the settings in force, as JSON',
  })
}

/** Answers 0 where the gate could start with these settings, else 1. */
export async function check(given: SettingsArguments & { readonly json?: boolean }, shell: Shell): Promise<number> {
  if (given.json === true) {
    const result = await readSettings(given, shell)
    if ('problems' in result) {
      shell.print(JSON.stringify({ ok: false, problems: result.problems, warnings: result.warnings }, null, 2))
      return ANSWER_IS_NO
    }
    const { config, warnings } = result
    shell.print(JSON.stringify({ ok: true, warnings, settings: describeConfig(config) }, null, 2))
    return DONE
  }
  const settings = await readSettingsAloud(given, shell)
  if (settings === undefined) return ANSWER_IS_NO
  const { issuers, routes, upstream } = settings.config
  shell.print(`The settings are valid: ${count(issuers, 'issuer')}, ${count(routes, 'route')}, upstream ${upstream}`)
  return DONE
}

function count(list: readonly unknown[], noun: string): string {
  return `${list.length} ${noun}${list.length === 1 ? '' : 's'}`
}
