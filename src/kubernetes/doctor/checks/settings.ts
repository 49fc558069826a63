// Do the settings of a gate fit the pod that it runs in? What the settings alone can show is found by their own loader.
import { tcpPorts } from '../../injection/pod-settings.ts'
import { textAt, treeAt, treesAt, valueAt } from '../../manifests/nested-values.ts'
import { shareNamespace } from '../../manifests/workloads.ts'
import { appsOf, eachGuarded, type GuardedWorkload, ofKind, type Rule, type Survey, type Trouble } from '../survey.ts'

const LONG_STALENESS_SECONDS = 300
const SETTINGS_FOLDER = /^\/etc\/sidegate\/([^/]+)/

/** What can be wrong between settings and pod. */
export const settingsRules: readonly Rule[] = [
  { name: 'upstream-elsewhere', severity: 'error', find: eachGuarded(elsewhere) },
  { name: 'upstream-port-mismatch', severity: 'error', find: eachGuarded(otherPort) },
  { name: 'file-not-mounted', severity: 'error', find: eachGuarded(missingFiles) },
  { name: 'password-in-settings', severity: 'error', find: eachGuarded(password) },
  { name: 'key-in-config-map', severity: 'error', find: keysInConfigMaps },
  { name: 'list-in-memory', severity: 'warning', find: eachGuarded(inMemory) },
  { name: 'stale-allowed', severity: 'warning', find: eachGuarded(staleAllowed) },
  { name: 'staleness-long', severity: 'warning', find: eachGuarded(longStaleness) },
  { name: 'not-enforcing', severity: 'warning', find: eachGuarded(shadow) },
]

function about(workload: GuardedWorkload, setting: string): Pick<Trouble, 'object' | 'path'> {
  const { object, prefix, gate } = workload
  return { object, path: `${prefix}${gate?.path ?? 'spec.initContainers'} (${setting})` }
}

function* elsewhere(workload: GuardedWorkload): Generator<Trouble> {
  const { settings, upstream } = workload
  if (settings === undefined || upstream !== undefined) return
  yield {
    ...about(workload, 'upstream'),
    message: `The app at ${JSON.stringify(settings.upstream)} is not in this pod: others reach it without the gate`,
    mend: 'Set "upstream" to http://127.0.0.1 and the port of the app',
  }
}

function* otherPort(workload: GuardedWorkload): Generator<Trouble> {
  const { upstream } = workload
  const declared = appsOf(workload).flatMap(({ container }) => tcpPorts(container).map(({ number }) => number))
  if (upstream === undefined || declared.length === 0 || declared.includes(upstream.port)) return
  yield {
    ...about(workload, 'upstream'),
    message: `The gate forwards to port ${upstream.port}, and the app declares ${declared.join(' and ')}`,
    mend: 'Set "upstream", or the annotation "sidegate.dev/upstream", to the port of the app',
  }
}

/** Files that the settings name must come from the ConfigMap or the Secret of the volume. */
function* missingFiles(workload: GuardedWorkload, survey: Survey): Generator<Trouble> {
  const { settings, gate, template, object } = workload
  if (settings === undefined || gate === undefined) return
  const volume = treesAt(template, 'spec', 'volumes').find(({ name }) => name === 'sidegate')
  const sources = treesAt(volume, 'projected', 'sources')
  // What another volume or a Secret outside these manifests holds is not known.
  if (volume === undefined || sources.some((source) => source.secret !== undefined)) return
  const configMap = ofKind(survey, 'ConfigMap').find(
    ({ value }) => textAt(value, 'metadata', 'name') === gate.configMap && shareNamespace(value, object.value),
  )
  if (configMap === undefined) return
  const keys = Object.keys({ ...treeAt(configMap.value, 'data'), ...treeAt(configMap.value, 'binaryData') })
  for (const file of settings.files) {
    const name = SETTINGS_FOLDER.exec(file)?.[1]
    if (name === undefined || keys.includes(name)) continue
    yield {
      ...about(workload, 'files'),
      message: `The settings name ${JSON.stringify(file)}, and the volume of the gate has no Secret that could hold it`,
      mend: 'Add the Secret to the sources of the volume, as "sidegate inject --secret" does',
    }
  }
}

function* password(workload: GuardedWorkload): Generator<Trouble> {
  if (workload.settings?.hasPasswordInRedisUrl !== true) return
  yield {
    ...about(workload, 'revocation.redis'),
    message: 'The password of Redis is in the settings, readable by anyone who can read ConfigMaps or pods',
    mend: 'Put it into the Secret and name it by "revocation.passwordFile"',
  }
}

function* keysInConfigMaps(survey: Survey): Generator<Trouble> {
  for (const object of ofKind(survey, 'ConfigMap')) {
    const data = treeAt(object.value, 'data')
    if (data['sidegate.yaml'] === undefined) continue
    for (const [name, value] of Object.entries(data))
      if (typeof value === 'string' && /-----BEGIN [A-Z ]*PRIVATE KEY-----|"d"\s*:\s*"[\w-]{16,}"/.test(value))
        yield {
          object,
          path: `data["${name}"]`,
          message: 'A private key stands in a ConfigMap',
          mend: 'Move it to a Secret, and make a new key: this one has been seen',
        }
  }
}

function* inMemory(workload: GuardedWorkload): Generator<Trouble> {
  if (workload.settings === undefined || workload.settings.redisHost !== undefined) return
  const replicas = valueAt(workload.object.value, 'spec', 'replicas')
  yield {
    ...about(workload, 'revocation.redis'),
    message: `Each gate has a revocation list of its own, which a restart empties${typeof replicas === 'number' && replicas > 1 ? `; there are ${replicas} of them` : ''}`,
    mend: 'Set "revocation.redis"',
  }
}

function* staleAllowed(workload: GuardedWorkload): Generator<Trouble> {
  if (workload.settings?.whenStale !== 'allow') return
  yield {
    ...about(workload, 'revocation.whenStale'),
    message: 'While Redis is away, tokens that were revoked meanwhile are admitted',
    mend: 'Set "revocation.whenStale" to deny, or know that it is so',
  }
}

function* longStaleness(workload: GuardedWorkload): Generator<Trouble> {
  const seconds = workload.settings?.maxStalenessSeconds ?? 0
  if (seconds <= LONG_STALENESS_SECONDS) return
  yield {
    ...about(workload, 'revocation.maxStaleness'),
    message: `While Redis is away, a revoked token may be admitted for up to ${seconds} s`,
    mend: 'Set "revocation.maxStaleness" to what a stolen token may cost; the default is 30s',
  }
}

function* shadow(workload: GuardedWorkload): Generator<Trouble> {
  if (workload.settings?.mode !== 'shadow') return
  yield {
    ...about(workload, 'mode'),
    message: 'The gate refuses nothing: in shadow mode it only counts',
    mend: 'Set "mode" to enforce when the counts are as they should be',
  }
}
