// How does a pod template look with the gate in it? Pure: a template (metadata and spec, as in a Deployment or a Pod) and
// the defaults in, the changed template and what was changed and why out. Applied twice it changes nothing more.
import { isDeepStrictEqual } from 'node:util'
import { isTree, listAt, type Remark, type Tree, treeAt, treesAt } from '../manifests/nested-values.ts'
import { INJECTED_ANNOTATION } from './annotations.ts'
import { podDangers } from './pod-dangers.ts'
import { gateVariable, type PodSettings, readPodSettings, type SidecarDefaults } from './pod-settings.ts'
import { readTargets, rewriteProbes } from './probes.ts'
import { secretReach } from './secret-reach.ts'
import { buildSidecar, buildVolume, SIDECAR_NAME } from './sidecar.ts'

export interface Injection {
  /** The template with the gate; the given one where there are problems. */
  readonly template: Tree
  /** How the pod's gate was configured, for those who look at what stands around the pod. */
  readonly pod: PodSettings
  /** What is different and why, a sentence each; none where the gate was there as it should be. */
  readonly changes: readonly Remark[]
  /** What defeats the gate or will fail. */
  readonly warnings: readonly Remark[]
  /** Why nothing was changed. */
  readonly problems: readonly Remark[]
}

/** Puts the gate into a pod template, whatever its label says. Never throws, whatever the template holds. */
export function injectPod(template: Tree, defaults: SidecarDefaults): Injection {
  const pod = readPodSettings(template, defaults)
  const problems = [...pod.problems, ...shapeProblems(template), ...secretReach(template, pod.settings.secret)]
  if (problems.length > 0) return { template, pod, changes: [], warnings: pod.warnings, problems }
  const spec = treeAt(template, 'spec')
  const probes = rewriteProbes(listAt(spec, 'containers'), {
    upstream: pod.upstream,
    adminPort: pod.adminPort,
    isRewriting: pod.isRewritingProbes,
    present: readTargets(gateVariable(template, 'SIDEGATE_ADMIN_APP_PROBES')),
    exempt: SIDECAR_NAME,
  })
  const settings = { ...pod.settings, appProbes: probes.targets }
  const changed = {
    ...template,
    metadata: withAnnotation(treeAt(template, 'metadata'), defaults.version),
    spec: withGate(spec, probes.containers, settings),
  }
  return {
    template: changed,
    pod,
    changes: [...gateChanges(template, changed), ...probes.changes],
    warnings: [...pod.warnings, ...probes.warnings, ...podDangers(template, pod.upstream)],
    problems: [],
  }
}

function withGate(spec: Tree, containers: readonly unknown[], settings: PodSettings['settings']): Tree {
  const initContainers = placed(listAt(spec, 'initContainers'), buildSidecar(settings))
  const volumes = placed(listAt(spec, 'volumes'), buildVolume(settings), 'last')
  const others = containers.filter((container) => !isOurs(container))
  // Before the containers, where a reader looks for what comes first.
  const entries = Object.entries(spec).flatMap(([name, value]): [string, unknown][] => {
    if (name === 'initContainers') return [[name, initContainers]]
    if (name === 'volumes') return [[name, volumes]]
    if (name !== 'containers') return [[name, value]]
    return 'initContainers' in spec
      ? [[name, others]]
      : [
          ['initContainers', initContainers],
          [name, others],
        ]
  })
  return { ...Object.fromEntries(entries), volumes }
}

/**
 * The list with ours in it: in its place where it is there, else first. A sidecar that is first has started before every
 * other init container and is stopped after everything else; it waits for nothing, as its startup probe asks for nothing
 * outside the process.
 */
function placed(list: readonly unknown[], item: Tree, where: 'first' | 'last' = 'first'): readonly unknown[] {
  if (list.some(isOurs)) return list.map((given) => (isOurs(given) ? item : given))
  return where === 'first' ? [item, ...list] : [...list, item]
}

/** The container that Knative Serving adds to each of its pods. */
export const KNATIVE_PROXY = 'queue-proxy'

function isOurs(item: unknown): boolean {
  return isTree(item) && item.name === SIDECAR_NAME
}

function withAnnotation(metadata: Tree, version: string): Tree {
  return { ...metadata, annotations: { ...treeAt(metadata, 'annotations'), [INJECTED_ANNOTATION]: version } }
}

function* gateChanges(before: Tree, after: Tree): Generator<Remark> {
  const differs = (...path: readonly string[]) => !isDeepStrictEqual(ours(before, ...path), ours(after, ...path))
  if (differs('spec', 'initContainers'))
    yield {
      path: 'spec.initContainers',
      message:
        ours(before, 'spec', 'initContainers').length === 0
          ? 'Put the gate first, as a native sidecar: it has started before all others and stops after them'
          : 'Bring the gate up to date with its settings',
    }
  if (ours(before, 'spec', 'containers').length > 0)
    yield {
      path: 'spec.containers',
      message: 'Take the gate out of the ordinary containers: there it would stop while the app still answers',
    }
  if (differs('spec', 'volumes'))
    yield { path: 'spec.volumes', message: 'Give the gate its settings and keys, read-only, in one folder' }
  if (!isDeepStrictEqual(treeAt(before, 'metadata', 'annotations'), treeAt(after, 'metadata', 'annotations')))
    yield {
      path: `metadata.annotations["${INJECTED_ANNOTATION}"]`,
      message: 'Note which version wrote the gate',
    }
}

function ours(template: Tree, ...path: readonly string[]): readonly unknown[] {
  return listAt(template, ...path).filter(isOurs)
}

/** What cannot be changed without breaking the pod, or what would bypass the gate. */
function* shapeProblems(template: Tree): Generator<Remark> {
  for (const [index, container] of treesAt(template, 'spec', 'containers').entries())
    if (container.name === KNATIVE_PROXY)
      yield {
        path: `spec.containers[${index}]`,
        message: `Knative sends requests to "${KNATIVE_PROXY}", which asks the app directly: a gate in this pod would be bypassed`,
      }
  if (listAt(template, 'spec', 'containers').filter((item) => !isOurs(item)).length === 0)
    yield { path: 'spec.containers', message: 'Expected a list with at least one container of an app' }
  for (const [index, volume] of listAt(template, 'spec', 'volumes').entries())
    if (isOurs(volume) && isTree(volume) && !isTree(volume.projected))
      yield {
        path: `spec.volumes[${index}]`,
        message: `The pod has a volume "${SIDECAR_NAME}" of its own; give it another name`,
      }
}
