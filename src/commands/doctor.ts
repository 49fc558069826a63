// `sidegate doctor`: what in these manifests leads around the gate, cannot work, or will hurt some day? Works offline, and
// changes nothing.
import type { Argv } from 'yargs'
import { readSettingText, SettingFileError } from '../config/files.ts'
import { type Diagnosis, diagnose } from '../kubernetes/doctor.ts'
import { type Survey, surveyObjects } from '../kubernetes/survey.ts'
import { createGateSettings, type SettingsText } from './doctor-settings.ts'
import { readManifestFiles } from './manifest-files.ts'
import { withConfigFlag } from './settings.ts'
import { ANSWER_IS_NO, DONE, type Shell } from './shell.ts'

export interface DoctorArguments {
  readonly file: readonly string[]
  readonly config?: string | undefined
  readonly json: boolean
}

export function doctorOptions<T>(argv: Argv<T>) {
  return withConfigFlag(argv)
    .option('file', {
      alias: 'f',
      type: 'string',
      array: true,
      requiresArg: true,
      demandOption: true,
      description: 'Manifests (YAML or JSON): files, folders, or - to read them',
    })
    .option('json', { type: 'boolean', default: false, description: 'Print the findings as JSON' })
    .example('$0 doctor -f deploy/', 'Looks at all manifests of a folder together')
    .example('helm template shop | $0 doctor -f -', '')
}

/** Answers 0 where there is no error among the findings, else 1. */
export async function doctor(given: DoctorArguments, shell: Shell): Promise<number> {
  const { files, problems } = await readManifestFiles(given.file, shell)
  const otherwise = await readOtherwise(given.config)
  const troubles = otherwise !== undefined && 'trouble' in otherwise ? [...problems, otherwise.trouble] : problems
  if (troubles.length > 0) {
    for (const trouble of troubles) shell.complain(trouble)
    return ANSWER_IS_NO
  }
  const objects = files.flatMap(({ name, manifests }) =>
    manifests.objects.map(({ value, line }) => ({ value, line, file: name })),
  )
  const settings = createGateSettings(objects, otherwise !== undefined && 'text' in otherwise ? otherwise : undefined)
  const survey = surveyObjects(objects, settings.lookUp)
  const found = diagnose(survey)
  const findings = [...settings.problems(), ...found].toSorted((one, other) => rank(one) - rank(other))
  tell(findings, survey, given.json, shell)
  return findings.some(({ severity }) => severity === 'error') ? ANSWER_IS_NO : DONE
}

function rank({ severity }: Diagnosis): number {
  return severity === 'error' ? 0 : 1
}

async function readOtherwise(path: string | undefined): Promise<SettingsText | { trouble: string } | undefined> {
  if (path === undefined) return undefined
  try {
    return { path, text: await readSettingText(path) }
  } catch (error) {
    if (!(error instanceof SettingFileError)) throw error
    return { trouble: `--config: ${error.message}` }
  }
}

function tell(findings: readonly Diagnosis[], { guarded }: Survey, isJson: boolean, shell: Shell): void {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  if (isJson) {
    shell.print(JSON.stringify({ ok: errors === 0, workloads: guarded.length, findings }, null, 2))
    return
  }
  for (const { severity, rule, file, line, object, path, message, mend } of findings) {
    shell.print(`${severity}: ${file}:${line} ${object} ${path}: ${message} [${rule}]`)
    shell.print(`  ${mend}`)
  }
  const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`
  const note = guarded.length === 0 ? '; nothing here has a gate or asks for one' : ''
  shell.print(
    `${count(errors, 'error')}, ${count(findings.length - errors, 'warning')} in ${count(guarded.length, 'workload')} with a gate${note}`,
  )
}
