// Which gate does this pod want? Reads a pod template (metadata and spec): the label says whether, the annotations say how,
// and the defaults say the rest. Changes nothing.

import { type Remark, type Tree, textAt, treeAt, treesAt, valueAt } from '../manifests/nested-values.ts'
import { INJECT_LABEL, readAnnotations, readUpstream, type Upstream } from './annotations.ts'
import { ADMIN_PORT, LISTEN_PORT, SIDECAR_NAME, type SidecarSettings } from './sidecar.ts'

const UPSTREAM_VARIABLE = 'SIDEGATE_UPSTREAM'
const DEFAULT_UPSTREAM: Upstream = { origin: 'http://127.0.0.1:3000', host: '127.0.0.1', port: 3000 }

/** What holds for every pod that does not say otherwise. */
export interface SidecarDefaults extends Omit<SidecarSettings, 'upstream' | 'appProbes' | 'image'> {
  /** Absent: each pod has to name its image. */
  readonly image?: string | undefined
  /** The version that is put on the pod. */
  readonly version: string
}

export interface PodSettings {
  /** Complete but for `appProbes`, which come from rewriting the probes. */
  readonly settings: SidecarSettings
  readonly upstream: Upstream
  readonly listenPort: number
  readonly adminPort: number
  readonly isRewritingProbes: boolean
  /** Where there is one, the pod must not be changed: it would not be what its author meant. */
  readonly problems: readonly Remark[]
  readonly warnings: readonly Remark[]
}

/** True where the label asks for the gate. Any other value than "true" does not. */
export function wantsGate(template: Tree): boolean {
  return textAt(template, 'metadata', 'labels', INJECT_LABEL) === 'true'
}

/** True where the label says that this pod must be left alone. */
export function refusesGate(template: Tree): boolean {
  return textAt(template, 'metadata', 'labels', INJECT_LABEL) === 'false'
}

/** Reads what a pod template says about its gate. Never throws, whatever the template holds. */
export function readPodSettings(template: Tree, defaults: SidecarDefaults): PodSettings {
  const { values, problems } = readAnnotations(
    treeAt(template, 'metadata', 'annotations'),
    treeAt(template, 'metadata', 'labels'),
  )
  const { version: _version, ...shared } = defaults
  const found = findUpstream(template, values.upstream)
  const listenPort = Number(values['listen-port'] ?? defaults.listenPort ?? LISTEN_PORT)
  const adminPort = Number(values['admin-port'] ?? defaults.adminPort ?? ADMIN_PORT)
  const image = values.image ?? defaults.image
  const settings: SidecarSettings = {
    ...shared,
    image: image ?? '',
    upstream: found.isKnown ? found.upstream.origin : undefined,
    listenPort,
    adminPort,
    configMap: values.config ?? defaults.configMap,
    secret: values.secret ?? defaults.secret,
    mode: values.mode ?? defaults.mode,
    logLevel: values['log-level'] ?? defaults.logLevel,
    resources: {
      cpuRequest: values['cpu-request'] ?? defaults.resources?.cpuRequest,
      memoryRequest: values['memory-request'] ?? defaults.resources?.memoryRequest,
      memoryLimit: values['memory-limit'] ?? defaults.resources?.memoryLimit,
    },
  }
  return {
    settings,
    upstream: found.upstream,
    listenPort,
    adminPort,
    isRewritingProbes: values['rewrite-probes'] !== 'false',
    problems: [
      ...problems,
      ...(image === undefined ? [missingImage] : []),
      ...portProblems(found.upstream.port, listenPort, adminPort),
    ],
    warnings: found.warnings,
  }
}

const missingImage: Remark = {
  path: 'metadata.annotations',
  message: 'No image is known for the gate; give it as a default, or as the annotation "sidegate.dev/image"',
}

/** Two of the three on one port could not all listen in one pod. */
function portProblems(appPort: number, listenPort: number, adminPort: number): readonly Remark[] {
  const at = (name: string) => `metadata.annotations["sidegate.dev/${name}"]`
  if (listenPort === adminPort)
    return [
      { path: at('admin-port'), message: `The gate cannot use port ${adminPort} for requests and for its probes` },
    ]
  if (appPort === listenPort)
    return [
      {
        path: at('listen-port'),
        message: `The app has port ${appPort}, so the gate needs another one: set "sidegate.dev/listen-port" to "${appPort + 1}", or move the app`,
      },
    ]
  if (appPort === adminPort)
    return [
      {
        path: at('admin-port'),
        message: `The app has port ${appPort}, so the admin port needs another one: set "sidegate.dev/admin-port" to "${appPort + 1}", or move the app`,
      },
    ]
  return []
}

interface FoundUpstream {
  readonly upstream: Upstream
  /** False: the settings of the gate decide, and this is their default. */
  readonly isKnown: boolean
  readonly warnings: readonly Remark[]
}

/** The annotation, else the first port of the first container of the app, else what a gate that is there already says. */
function findUpstream(template: Tree, annotated: string | undefined): FoundUpstream {
  const declared = firstPort(appContainers(template))
  const candidates = [
    annotated,
    declared === undefined ? undefined : `http://127.0.0.1:${declared}`,
    gateVariable(template, UPSTREAM_VARIABLE),
  ]
  for (const candidate of candidates) {
    const upstream = candidate === undefined ? undefined : readUpstream(candidate)
    if (upstream !== undefined) return { upstream, isKnown: true, warnings: [] }
  }
  const message = `Nothing here says where the app listens, so the settings of the gate do, by default ${DEFAULT_UPSTREAM.origin}; say it by the annotation "sidegate.dev/upstream"`
  return { upstream: DEFAULT_UPSTREAM, isKnown: false, warnings: [{ path: 'spec.containers', message }] }
}

function firstPort(containers: readonly Tree[]): number | undefined {
  return tcpPorts(containers[0] ?? {})[0]?.number
}

/** A port that a container declares. */
export interface DeclaredPort {
  readonly number: number
  readonly name: string | undefined
}

/** The TCP ports that a container declares. */
export function tcpPorts(container: Tree): readonly DeclaredPort[] {
  return treesAt(container, 'ports').flatMap((port) => {
    const { containerPort, name, protocol = 'TCP' } = port
    if (typeof containerPort !== 'number' || protocol !== 'TCP') return []
    return [{ number: containerPort, name: typeof name === 'string' ? name : undefined }]
  })
}

/** The containers of the app: all that run beside each other, but for a gate that somebody put among them. */
export function appContainers(template: Tree): readonly Tree[] {
  return treesAt(template, 'spec', 'containers').filter(({ name }) => name !== SIDECAR_NAME)
}

/** The gate that is in the pod already, among the init containers or among the containers. */
function presentGate(template: Tree): Tree | undefined {
  return [...treesAt(template, 'spec', 'initContainers'), ...treesAt(template, 'spec', 'containers')].find(
    ({ name }) => name === SIDECAR_NAME,
  )
}

/** The text of a variable of the gate that is in the pod already. */
export function gateVariable(template: Tree, name: string): string | undefined {
  const variable = treesAt(presentGate(template), 'env').find((item) => item.name === name)
  const value = valueAt(variable, 'value')
  return typeof value === 'string' ? value : undefined
}
