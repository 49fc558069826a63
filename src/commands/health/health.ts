// `sidegate health`: asks a running gate how it is, for probes that run a command in a container without shell and curl.
import type { Argv } from 'yargs'
import { type AddressResult, parseAdminAddress, readAdminAddress } from '../../config/admin-address.ts'
import { readSettingFile, SettingFileError } from '../../config/sources/files.ts'
import { withConfigFlag } from '../setting-flags.ts'
import { ANSWER_IS_NO, type Shell, UsageError } from '../shell.ts'
import { reportHealth } from './report-health.ts'

export interface HealthArguments {
  readonly config?: string | undefined
  readonly admin?: string | undefined
  readonly ready: boolean
}

export function healthOptions<T>(argv: Argv<T>) {
  return withConfigFlag(argv)
    .option('admin', {
      type: 'string',
      requiresArg: true,
      description: 'The address of the admin port; default: the setting admin.listen',
    })
    .option('ready', {
      type: 'boolean',
      default: false,
      description: 'Ask whether traffic may come, not only for life',
    })
    .conflicts('config', 'admin')
    .example('$0 health --ready', 'Ask the gate on port 9090 of this machine')
}

/** Prints what `/livez`, or `/readyz`, says. Answers 0 where it is 200 within 5 s, else 1. */
export async function health(given: HealthArguments, shell: Shell): Promise<number> {
  const found =
    given.admin === undefined ? await fromSettings(given.config, shell) : parseAdminAddress(given.admin, '--admin')
  if ('problem' in found) {
    if (given.admin !== undefined) throw new UsageError(found.problem)
    shell.complain(found.problem)
    return ANSWER_IS_NO
  }
  return reportHealth(found.address, given.ready, shell)
}

async function fromSettings(path: string | undefined, shell: Shell): Promise<AddressResult> {
  try {
    const text = path === undefined ? undefined : (await readSettingFile(path)).toString('utf8')
    const file = path === undefined || text === undefined ? undefined : { path, text }
    return readAdminAddress({ file, environment: shell.environment, flags: {} })
  } catch (error) {
    if (!(error instanceof SettingFileError)) throw error
    return { problem: error.message }
  }
}
