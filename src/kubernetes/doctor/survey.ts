// What do these manifests hold, taken together? Objects with their places, the workloads with their gates, and what is known
// of the settings of each. The rules of the doctor look at this, and at nothing else.
import { readUpstream, type Upstream } from '../injection/annotations.ts'
import { readPodSettings, wantsGate } from '../injection/pod-settings.ts'
import { ADMIN_PORT, CONFIG_MAP, LISTEN_PORT, SIDECAR_NAME } from '../injection/sidecar.ts'
import { listAt, type Tree, textAt, treesAt } from '../manifests/nested-values.ts'
import { templateOf } from '../manifests/workloads.ts'

/** An object and where it stands. */
export interface PlacedObject {
  readonly value: Tree
  readonly file: string
  readonly line: number
}

/** What the rules have to know of the settings of a gate. */
export interface KnownSettings {
  readonly upstream: string
  readonly listenPort: number
  readonly adminPort: number
  readonly adminTokenFile?: string | undefined
  readonly drainTimeoutSeconds: number
  readonly mode: string
  /** The host of the revocation list; absent: in memory. */
  readonly redisHost?: string | undefined
  readonly hasPasswordInRedisUrl: boolean
  readonly whenStale: string
  readonly maxStalenessSeconds: number
  /** `<container>/<kind>` of each probe that the admin port answers for. */
  readonly appProbes: readonly string[]
  /** The files that the settings name. */
  readonly files: readonly string[]
}

/** What was found of a gate in a pod. */
export interface PresentGate {
  readonly container: Tree
  /** The place in the template: `spec.initContainers[0]`. */
  readonly path: string
  readonly isInit: boolean
  readonly configMap: string
}

/** A workload that has a gate, or asks for one. */
export interface GuardedWorkload {
  readonly object: PlacedObject
  readonly template: Tree
  /** The place of the template in the object, with a dot behind it; empty for a Pod. */
  readonly prefix: string
  readonly isOptedIn: boolean
  readonly gate: PresentGate | undefined
  readonly settings: KnownSettings | undefined
  /** Where the app listens; absent where that is not this pod. */
  readonly upstream: Upstream | undefined
  readonly listenPort: number
  readonly adminPort: number
}

export interface Survey {
  readonly objects: readonly PlacedObject[]
  readonly guarded: readonly GuardedWorkload[]
}

/** Answers the settings of the gate in a workload: of the ConfigMap that it mounts, with what its container sets. */
export type SettingsLookup = (
  configMap: string,
  container: Tree | undefined,
  object: PlacedObject,
) => KnownSettings | undefined

/** Looks at all objects together. */
export function surveyObjects(objects: readonly PlacedObject[], settingsOf: SettingsLookup): Survey {
  return { objects, guarded: objects.flatMap((object) => guardedIn(object, settingsOf)) }
}

function guardedIn(object: PlacedObject, settingsOf: SettingsLookup): readonly GuardedWorkload[] {
  const place = templateOf(object.value)
  if (place === undefined) return []
  const { template, path } = place
  const gate = findGate(template)
  const isOptedIn = wantsGate(template)
  if (gate === undefined && !isOptedIn) return []
  // Where the gate is still to come, what the pod asks for says how it will be.
  const asked = readPodSettings(template, { version: '' })
  const settings = settingsOf(gate?.configMap ?? asked.settings.configMap ?? CONFIG_MAP, gate?.container, object)
  const upstream = gate === undefined ? asked.upstream.origin : (settings?.upstream ?? variable(gate, 'UPSTREAM'))
  return [
    {
      object,
      template,
      prefix: path.map((step) => `${step}.`).join(''),
      isOptedIn,
      gate,
      settings,
      upstream: readUpstream(upstream ?? 'http://127.0.0.1:3000'),
      listenPort: gate === undefined ? asked.listenPort : (settings?.listenPort ?? portOf(gate, 'LISTEN', LISTEN_PORT)),
      adminPort:
        gate === undefined ? asked.adminPort : (settings?.adminPort ?? portOf(gate, 'ADMIN_LISTEN', ADMIN_PORT)),
    },
  ]
}

function findGate(template: Tree): PresentGate | undefined {
  for (const list of ['initContainers', 'containers'])
    for (const [index, container] of treesAt(template, 'spec', list).entries())
      if (isGate(container)) {
        const path = `spec.${list}[${index}]`
        return { container, path, isInit: list === 'initContainers', configMap: configMapOf(template) }
      }
  return undefined
}

/** By its name, or by an image of that name; a container of ours that runs something else than the gate is none. */
function isGate(container: Tree): boolean {
  const { name, image } = container
  const command = listAt(container, 'args')[0] ?? 'run'
  return command === 'run' && (name === SIDECAR_NAME || (typeof image === 'string' && IMAGE.test(image)))
}

const IMAGE = /(^|\/)sidegate(:|@|$)/

function configMapOf(template: Tree): string {
  const volume = treesAt(template, 'spec', 'volumes').find(({ name }) => name === SIDECAR_NAME)
  const [projected] = treesAt(volume, 'projected', 'sources').flatMap(
    (source) => textAt(source, 'configMap', 'name') ?? [],
  )
  return projected ?? textAt(volume, 'configMap', 'name') ?? CONFIG_MAP
}

/** The variables of a container that stand in the manifest itself. */
export function variablesOf(container: Tree | undefined): Readonly<Record<string, string>> {
  const entries = treesAt(container, 'env').flatMap(({ name, value }) =>
    typeof name === 'string' && typeof value === 'string' ? [[name, value] as const] : [],
  )
  return Object.fromEntries(entries)
}

function variable({ container }: PresentGate, name: string): string | undefined {
  return variablesOf(container)[`SIDEGATE_${name}`]
}

function portOf(gate: PresentGate, name: string, otherwise: number): number {
  const port = /:([0-9]+)$/.exec(variable(gate, name) ?? '')?.[1]
  return port === undefined ? otherwise : Number(port)
}

/** The containers of the app, each with its place in the object. */
export function appsOf(workload: GuardedWorkload): readonly { readonly container: Tree; readonly path: string }[] {
  return treesAt(workload.template, 'spec', 'containers').flatMap((container, index) =>
    container === workload.gate?.container ? [] : [{ container, path: `${workload.prefix}spec.containers[${index}]` }],
  )
}

/** The objects of a kind. */
export function ofKind({ objects }: Survey, ...kinds: readonly string[]): readonly PlacedObject[] {
  return objects.filter(({ value }) => kinds.includes(textAt(value, 'kind') ?? ''))
}

/** What a rule has found. */
export interface Trouble {
  readonly object: PlacedObject
  /** From the object: `spec.ports[0].targetPort`. */
  readonly path: string
  readonly message: string
  /** What to do. */
  readonly mend: string
}

/** One thing that can be wrong. An error lets somebody around the gate or cannot work; a warning hurts some day. */
export interface Rule {
  readonly name: string
  readonly severity: 'error' | 'warning'
  readonly find: (survey: Survey) => Iterable<Trouble>
}

/** A rule that looks at one guarded workload at a time. */
export function eachGuarded(find: (workload: GuardedWorkload, survey: Survey) => Iterable<Trouble>): Rule['find'] {
  return function* (survey) {
    for (const workload of survey.guarded) yield* find(workload, survey)
  }
}
