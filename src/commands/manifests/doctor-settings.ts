// Which settings does each gate among the manifests run with? Reads them from the ConfigMaps with the loader that the gate
// itself has, so that what it would refuse is found here.

import { loadConfig } from '../../config/load.ts'
import type { Config } from '../../config/options.ts'
import type { Problem } from '../../config/problems.ts'
import { filesOf } from '../../config/sources/files.ts'
import type { Diagnosis } from '../../kubernetes/doctor/doctor.ts'
import {
  type KnownSettings,
  type PlacedObject,
  type SettingsLookup,
  variablesOf,
} from '../../kubernetes/doctor/survey.ts'
import { type Tree, textAt, treesAt } from '../../kubernetes/manifests/nested-values.ts'
import { nameOf, shareNamespace } from '../../kubernetes/manifests/workloads.ts'

/** A settings file that holds for gates whose ConfigMap is not among the manifests. */
export interface SettingsText {
  readonly path: string
  readonly text: string
}

export interface GateSettings {
  readonly lookUp: SettingsLookup
  /** What is wrong with the settings that were looked up, each thing once; ConfigMaps that no gate mounts included. */
  readonly problems: () => readonly Diagnosis[]
}

/** Makes the look-up for these objects. */
export function createGateSettings(
  objects: readonly PlacedObject[],
  otherwise: SettingsText | undefined,
): GateSettings {
  const configMaps = objects.filter(isConfigMapOfGates)
  const found = new Map<string, Diagnosis>()
  const used = new Set<PlacedObject>()

  function load(object: PlacedObject, file: SettingsText | undefined, variables: Readonly<Record<string, string>>) {
    const loaded = loadConfig({ file, environment: variables, flags: {} })
    const tell = (severity: Diagnosis['severity'], list: readonly Problem[]) => {
      for (const problem of list)
        found.set(
          `${object.file}:${object.line} ${problem.where} ${problem.message}`,
          diagnosisOf(severity, object, problem),
        )
    }
    tell('warning', loaded.warnings)
    if ('problems' in loaded) tell('error', loaded.problems)
    return 'config' in loaded ? knownSettings(loaded.config) : undefined
  }

  return {
    lookUp: (name, container, object) => {
      const configMap = findConfigMap(configMaps, name, object)
      if (configMap !== undefined) used.add(configMap)
      // What comes from a Secret or a field is not known here, and judging without it would be guessing.
      if (hiddenVariables(container).length > 0 || treesAt(container, 'envFrom').length > 0) return undefined
      const variables = variablesOf(container)
      if (configMap !== undefined) return load(configMap, settingsOf(configMap), variables)
      const isUnknown = otherwise === undefined && variables.SIDEGATE_ISSUERS === undefined
      return isUnknown ? undefined : load(object, otherwise, variables)
    },
    problems: () => {
      for (const configMap of configMaps) if (!used.has(configMap)) load(configMap, settingsOf(configMap), {})
      return [...found.values()]
    },
  }
}

function settingsIn(configMap: Tree): string | undefined {
  return textAt(configMap, 'data', 'sidegate.yaml')
}

export function isConfigMapOfGates({ value }: PlacedObject): boolean {
  return value.kind === 'ConfigMap' && settingsIn(value) !== undefined
}

/** The settings in a ConfigMap of gates. */
export function settingsOf({ value }: PlacedObject): SettingsText {
  return { path: 'sidegate.yaml', text: settingsIn(value) ?? '' }
}

/** The ConfigMap of this name that the pods of an object can mount, where it has settings. */
export function findConfigMap(
  objects: readonly PlacedObject[],
  name: string,
  { value: owner }: PlacedObject,
): PlacedObject | undefined {
  return objects.find(
    (object) =>
      isConfigMapOfGates(object) &&
      textAt(object.value, 'metadata', 'name') === name &&
      shareNamespace(object.value, owner),
  )
}

/** The variables of a gate whose value stands somewhere else. */
export function hiddenVariables(container: Tree | undefined): readonly string[] {
  return treesAt(container, 'env').flatMap(({ name, valueFrom }) =>
    typeof name === 'string' && name.startsWith('SIDEGATE_') && valueFrom !== undefined ? [name] : [],
  )
}

function diagnosisOf(severity: Diagnosis['severity'], object: PlacedObject, problem: Problem): Diagnosis {
  const { hint } = problem
  return {
    rule: severity === 'error' ? 'settings-wrong' : 'settings-doubtful',
    severity,
    file: object.file,
    line: object.line,
    object: nameOf(object.value),
    path: problem.where,
    message: problem.message,
    mend: hint === undefined ? 'Correct the setting; docs/configuration.md has them all' : capital(hint),
  }
}

export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

function knownSettings(config: Config): KnownSettings {
  const { redis } = config.revocation
  return {
    upstream: config.upstream,
    listenPort: config.listen.port,
    adminPort: config.admin.listen.port,
    adminTokenFile: config.admin.tokenFile,
    drainTimeoutSeconds: config.limits.drainTimeout / 1000,
    mode: config.mode,
    redisHost: redis === undefined ? undefined : /^[a-z+]+:\/\/(?:[^@/]*@)?([^:/,]+)/.exec(redis)?.[1],
    hasPasswordInRedisUrl: redis !== undefined && /\/\/[^@/]*:[^@/]+@/.test(redis),
    whenStale: config.revocation.whenStale,
    maxStalenessSeconds: config.revocation.maxStaleness / 1000,
    appProbes: Object.entries(config.admin.appProbes).flatMap(([container, probes]) =>
      Object.keys(probes).map((kind) => `${container}/${kind}`),
    ),
    files: filesOf(config).map(({ path }) => path),
  }
}
