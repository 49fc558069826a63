// `sidegate doctor --upgrade`: what would change for these manifests and settings, which were written for an older version?
// Changes nothing, and asks no server.

import { loadConfig } from '../../config/load.ts'
import { readSettingText, SettingFileError } from '../../config/sources/files.ts'
import { findUpgradeChanges, type GateUnderUpgrade, type UpgradeFinding } from '../../config/upgrade/upgrade.ts'
import { upgradeRules } from '../../kubernetes/doctor/checks/upgrade.ts'
import { type Diagnosis, diagnose } from '../../kubernetes/doctor/doctor.ts'
import { secretText } from '../../kubernetes/doctor/secret-values.ts'
import { type PlacedObject, type Survey, surveyObjects, variablesOf } from '../../kubernetes/doctor/survey.ts'
import { type Tree, treesAt } from '../../kubernetes/manifests/nested-values.ts'
import { nameOf } from '../../kubernetes/manifests/workloads.ts'
import {
  capital,
  findConfigMap,
  hiddenVariables,
  isConfigMapOfGates,
  type SettingsText,
  settingsOf,
} from './doctor-settings.ts'

/** What was found, and what was looked at. */
export interface Examination {
  readonly findings: readonly Diagnosis[]
  readonly survey: Survey
}

/** What changes for the gates among the manifests, and for settings that none of them mounts. */
export function upgradeOfManifests(objects: readonly PlacedObject[], otherwise: SettingsText | undefined): Examination {
  const found = new Map<string, Diagnosis>()
  const used = new Set<PlacedObject>()

  function judge(place: PlacedObject, owner: PlacedObject, file: SettingsText | undefined, container?: Tree): void {
    const names = treesAt(container, 'env').flatMap(({ name }) => (typeof name === 'string' ? [name] : []))
    const isOpen = treesAt(container, 'envFrom').length > 0
    const gate: GateUnderUpgrade = {
      sources: { file, environment: variablesOf(container), flags: {} },
      hidden: hiddenVariables(container),
      environment: isOpen ? undefined : Object.fromEntries(names.map((name) => [name, ''])),
      textOf: (path) => secretText(objects, owner, path),
    }
    for (const { rule, severity, where, message, mend } of judgeGate(gate, isOpen))
      found.set(`${place.file}:${place.line} ${rule} ${where} ${message}`, {
        ...{ rule, severity, file: place.file, line: place.line, object: nameOf(place.value) },
        ...{ path: where, message, mend },
      })
  }

  const survey = surveyObjects(objects, (name, container, object) => {
    const configMap = findConfigMap(objects, name, object)
    if (configMap !== undefined) {
      used.add(configMap)
      judge(configMap, object, settingsOf(configMap), container)
    } else if (otherwise !== undefined || variablesOf(container).SIDEGATE_ISSUERS !== undefined)
      judge(object, object, otherwise, container)
    return undefined
  })
  for (const object of objects)
    if (isConfigMapOfGates(object) && !used.has(object)) judge(object, object, settingsOf(object))
  return { survey, findings: [...found.values(), ...diagnose(survey, upgradeRules)] }
}

/** What changes for a settings file by itself. */
export async function upgradeOfFile(file: SettingsText): Promise<Examination> {
  const sources = { file, environment: {}, flags: {} }
  const loaded = loadConfig(sources)
  const tokenFile = 'config' in loaded ? loaded.config.admin.tokenFile : undefined
  const token = tokenFile === undefined ? undefined : await textIfHere(tokenFile)
  const gate = { sources, hidden: [], environment: undefined, textOf: () => token }
  const findings = judgeGate(gate, false).map(({ rule, severity, where, message, mend }) => {
    const [, line, path] = /:(\d+):\d+(?: (.*))?$/.exec(where) ?? []
    return {
      rule,
      severity,
      file: file.path,
      line: Number(line ?? 1),
      object: 'settings',
      path: path ?? '',
      message,
      mend,
    }
  })
  return { survey: surveyObjects([], () => undefined), findings }
}

type Judgement = Pick<Diagnosis, 'rule' | 'severity' | 'message' | 'mend'> & { readonly where: string }

/** Settings that no longer load are wrong as `check` says it; the changes of what could be read come with that. */
function judgeGate(gate: GateUnderUpgrade, isOpen: boolean): readonly Judgement[] {
  const loaded = loadConfig(gate.sources)
  // Without what comes from elsewhere, "missing" would be a guess.
  const isWhole = !isOpen && gate.hidden.length === 0
  const problems = 'problems' in loaded && isWhole ? loaded.problems : []
  return [
    ...problems.map(({ where, message, hint }): Judgement => {
      const mend = hint === undefined ? 'Correct the setting; docs/configuration.md has them all' : capital(hint)
      return { rule: 'settings-wrong', severity: 'error', where, message, mend }
    }),
    ...findUpgradeChanges(gate).map(
      ({ id, where, message, keep }: UpgradeFinding): Judgement => ({
        ...{ rule: `upgrade-${id}`, severity: 'warning', where, message, mend: keep },
      }),
    ),
  ]
}

/** The file may be on another machine: then nothing is known of it. */
async function textIfHere(path: string): Promise<string | undefined> {
  try {
    return await readSettingText(path)
  } catch (error) {
    if (!(error instanceof SettingFileError)) throw error
    return undefined
  }
}
