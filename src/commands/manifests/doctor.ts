// `sidegate doctor`: finds ways to bypass the gate in manifests, and what cannot work or causes problems later. Works offline, and
// changes nothing.
import type { Argv } from 'yargs'
import { readSettingText, SettingFileError } from '../../config/sources/files.ts'
import { type Diagnosis, diagnose } from '../../kubernetes/doctor/doctor.ts'
import { type PlacedObject, type Survey, surveyObjects } from '../../kubernetes/doctor/survey.ts'
import { withConfigFlag } from '../setting-flags.ts'
import { ANSWER_IS_NO, DONE, type Shell, UsageError } from '../shell.ts'
import { createGateSettings, type SettingsText } from './doctor-settings.ts'
import { type Examination, upgradeOfFile, upgradeOfManifests } from './doctor-upgrade.ts'
import { readManifestFiles } from './manifest-files.ts'

export interface DoctorArguments {
  readonly file?: readonly string[] | undefined
  readonly upgrade: boolean
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
      description: 'Manifests (YAML or JSON): files, folders, or - to read them',
    })
    .option('upgrade', {
      type: 'boolean',
      default: false,
      description: 'Only what this version changes for settings of an older one, and how to keep it as it was',
    })
    .option('json', { type: 'boolean', default: false, description: 'Print the findings as JSON' })
    .example('$0 doctor -f deploy/', 'Looks at all manifests of a folder together')
    .example('helm template shop | $0 doctor -f -', '')
    .example('$0 doctor --upgrade --config sidegate.yaml', 'What changes for this settings file')
}

/** Answers 0 where there is no error among the findings, else 1. */
export async function doctor(given: DoctorArguments, shell: Shell): Promise<number> {
  if (given.file === undefined && !(given.upgrade && given.config !== undefined))
    throw new UsageError('Give the manifests: "--file"; with "--upgrade", "--config" alone will do')
  const { files, problems } = await readManifestFiles(given.file ?? [], shell)
  const read = await readOtherwise(given.config)
  const troubles = read !== undefined && 'trouble' in read ? [...problems, read.trouble] : problems
  if (troubles.length > 0) {
    for (const trouble of troubles) shell.complain(trouble)
    return ANSWER_IS_NO
  }
  const otherwise = read !== undefined && 'text' in read ? read : undefined
  const objects = files.flatMap(({ name, manifests }) =>
    manifests.objects.map(({ value, line }) => ({ value, line, file: name })),
  )
  const { findings, survey } = await examine(objects, otherwise, given)
  tell(
    findings.toSorted((one, other) => rank(one) - rank(other)),
    survey,
    given,
    shell,
  )
  return findings.some(({ severity }) => severity === 'error') ? ANSWER_IS_NO : DONE
}

async function examine(
  objects: readonly PlacedObject[],
  otherwise: SettingsText | undefined,
  { upgrade, file }: DoctorArguments,
): Promise<Examination> {
  if (upgrade)
    return file === undefined && otherwise !== undefined
      ? await upgradeOfFile(otherwise)
      : upgradeOfManifests(objects, otherwise)
  const settings = createGateSettings(objects, otherwise)
  const survey = surveyObjects(objects, settings.lookUp)
  const found = diagnose(survey)
  return { survey, findings: [...settings.problems(), ...found] }
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

function tell(
  findings: readonly Diagnosis[],
  { guarded }: Survey,
  { json: isJson, file }: DoctorArguments,
  shell: Shell,
): void {
  const isManifests = file !== undefined
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
  const summary = `${count(errors, 'error')}, ${count(findings.length - errors, 'warning')}`
  const note = guarded.length === 0 ? '; nothing here has a gate or asks for one' : ''
  const which = guarded.length === 1 ? 'that has a gate or asks for one' : 'that have a gate or ask for one'
  shell.print(isManifests ? `${summary} in ${count(guarded.length, 'workload')} ${which}${note}` : summary)
}
