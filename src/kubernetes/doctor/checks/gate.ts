// Is the gate there, and is it the one that it should be? Judged against what buildSidecar makes.
import { INJECT_LABEL, readAnnotations } from '../../injection/annotations.ts'
import { labelOnWorkload, unreachedTemplates } from '../../injection/label-reach.ts'
import { secretReach } from '../../injection/secret-reach.ts'
import { buildSidecar } from '../../injection/sidecar.ts'
import { listAt, type Tree, textAt, treeAt, treesAt, valueAt } from '../../manifests/nested-values.ts'
import { templateOf } from '../../manifests/workloads.ts'
import { eachGuarded, type GuardedWorkload, type Rule, type Survey, type Trouble } from '../survey.ts'

/** What can be wrong with the container of the gate. */
export const gateRules: readonly Rule[] = [
  { name: 'gate-missing', severity: 'warning', find: eachGuarded(missing) },
  { name: 'label-misplaced', severity: 'error', find: misplacedLabels },
  { name: 'gate-bypassed-by-knative', severity: 'error', find: unreachedLabels(true) },
  { name: 'label-unreached', severity: 'warning', find: unreachedLabels(false) },
  { name: 'gate-secret-shared', severity: 'error', find: eachGuarded(sharedSecrets) },
  { name: 'annotation-wrong', severity: 'error', find: wrongAnnotations },
  { name: 'gate-not-native', severity: 'error', find: eachGuarded(notNative) },
  { name: 'gate-privileged', severity: 'error', find: eachGuarded(privileged) },
  { name: 'image-unpinned', severity: 'warning', find: eachGuarded(unpinned) },
  { name: 'resources-missing', severity: 'warning', find: eachGuarded(withoutResources) },
  { name: 'gate-probes', severity: 'warning', find: eachGuarded(otherProbes) },
  { name: 'gate-hook', severity: 'warning', find: eachGuarded(withoutHook) },
  { name: 'settings-writable', severity: 'warning', find: eachGuarded(writable) },
]

const INJECT = 'Run "sidegate inject" on this manifest'

function* missing({ object, prefix, gate, isOptedIn }: GuardedWorkload): Generator<Trouble> {
  if (gate !== undefined || !isOptedIn) return
  yield {
    object,
    path: `${prefix}spec.initContainers`,
    message: 'The pod asks for the gate, and has none here: without an injector in the cluster it runs unguarded',
    mend: `${INJECT}, or make sure that the injector of the chart is there`,
  }
}

function* misplacedLabels({ objects, guarded }: Survey): Generator<Trouble> {
  for (const object of objects) {
    // A kustomization finds the workloads for its component by such a label.
    if (guarded.some((workload) => workload.object === object)) continue
    const misplaced = labelOnWorkload(object.value)
    if (misplaced !== undefined) yield { object, ...misplaced }
  }
}

/** Outside of Knative an injector in the cluster may still give these pods their gate. */
function unreachedLabels(ofKnative: boolean): Rule['find'] {
  return function* ({ objects }) {
    for (const object of objects)
      for (const { path, message, mend, isAsking, isKnative } of unreachedTemplates(object.value))
        if (isAsking && isKnative === ofKnative)
          yield { object, path: `${path}.metadata.labels["${INJECT_LABEL}"]`, message, mend }
  }
}

function* sharedSecrets({ object, prefix, template }: GuardedWorkload): Generator<Trouble> {
  const { values } = readAnnotations(
    treeAt(template, 'metadata', 'annotations'),
    treeAt(template, 'metadata', 'labels'),
  )
  for (const { path, message } of secretReach(template, values.secret))
    yield {
      object,
      path: prefix + path,
      message,
      mend: 'Give the app a Secret and a volume without the keys of the gate',
    }
}

function* wrongAnnotations({ objects }: Survey): Generator<Trouble> {
  for (const object of objects) {
    const place = templateOf(object.value)
    if (place === undefined) continue
    const { problems } = readAnnotations(
      treeAt(place.template, 'metadata', 'annotations'),
      treeAt(place.template, 'metadata', 'labels'),
    )
    for (const { path, message } of problems)
      yield { object, path: [...place.path, path].join('.'), message, mend: 'Correct or remove it' }
  }
}

function* notNative({ object, prefix, gate }: GuardedWorkload): Generator<Trouble> {
  if (gate === undefined || (gate.isInit && gate.container.restartPolicy === 'Always')) return
  yield {
    object,
    path: prefix + gate.path,
    message: gate.isInit
      ? 'The gate is an ordinary init container, so the pod waits for ever for it to end'
      : 'The gate is an ordinary container: the app runs before it is there, and is cut off when it stops first',
    mend: gate.isInit
      ? 'Set restartPolicy: Always'
      : `${INJECT}: it moves the gate to initContainers, with restartPolicy: Always`,
  }
}

function* privileged({ object, prefix, gate, template }: GuardedWorkload): Generator<Trouble> {
  if (gate === undefined) return
  const context: Tree = { ...treeAt(template, 'spec', 'securityContext'), ...treeAt(gate.container, 'securityContext') }
  for (const [name, isRight] of securityDemands) {
    if (isRight(context)) continue
    const expected = JSON.stringify(valueAt(buildSidecar({ image: '' }), 'securityContext', name) ?? false)
    yield {
      object,
      path: `${prefix}${gate.path}.securityContext.${name}`,
      message: 'The gate may do more than it needs',
      mend: `Set ${name} to ${expected}`,
    }
  }
}

const securityDemands: readonly (readonly [string, (context: Tree) => boolean])[] = [
  ['runAsNonRoot', ({ runAsNonRoot }) => runAsNonRoot === true],
  ['runAsUser', ({ runAsUser }) => runAsUser !== 0],
  ['privileged', ({ privileged }) => privileged !== true],
  ['allowPrivilegeEscalation', ({ allowPrivilegeEscalation }) => allowPrivilegeEscalation === false],
  ['readOnlyRootFilesystem', ({ readOnlyRootFilesystem }) => readOnlyRootFilesystem === true],
  [
    'capabilities',
    (context) =>
      listAt(context, 'capabilities', 'drop').includes('ALL') && listAt(context, 'capabilities', 'add').length === 0,
  ],
  [
    'seccompProfile',
    (context) => ['RuntimeDefault', 'Localhost'].includes(textAt(context, 'seccompProfile', 'type') ?? ''),
  ],
]

function* unpinned({ object, prefix, gate }: GuardedWorkload): Generator<Trouble> {
  const image = textAt(gate?.container, 'image') ?? ''
  if (gate === undefined || image.includes('@') || /:(?!latest$)[\w.-]+$/.test(image)) return
  yield {
    object,
    path: `${prefix}${gate.path}.image`,
    message: `The image ${JSON.stringify(image)} is not pinned`,
    mend: 'Name a version or, better, a digest',
  }
}

function* withoutResources({ object, prefix, gate }: GuardedWorkload): Generator<Trouble> {
  if (gate === undefined) return
  const wanted = buildSidecar({ image: '' }).resources
  const rows = [
    ['limits', 'memory', wanted.limits.memory, 'a leak would take the memory of the node'],
    ['requests', 'memory', wanted.requests.memory, 'the gate is among the first to go when memory is short'],
    ['requests', 'cpu', wanted.requests.cpu, 'the gate gets what others leave, and every request waits for it'],
  ] as const
  for (const [group, name, value, why] of rows) {
    if (valueAt(gate.container, 'resources', group, name) !== undefined) continue
    yield {
      object,
      path: `${prefix}${gate.path}.resources.${group}.${name}`,
      message: `It is missing: ${why}`,
      mend: `Set it, as to ${value}`,
    }
  }
}

function* otherProbes({ object, prefix, gate }: GuardedWorkload): Generator<Trouble> {
  if (gate === undefined) return
  const rows = [
    ['startupProbe', '/livez', 'the app may start before the gate'],
    ['readinessProbe', '/readyz', 'the pod gets traffic before the revocation list was read'],
    ['livenessProbe', '/livez', 'a gate that hangs stays; any other path than /livez restarts it when Redis is away'],
  ] as const
  for (const [name, path, why] of rows) {
    const isRight =
      textAt(gate.container, name, 'httpGet', 'path') === path ||
      // sidegate health, in an image without a shell
      listAt(gate.container, name, 'exec', 'command').includes('health')
    if (!isRight)
      yield {
        object,
        path: `${prefix}${gate.path}.${name}`,
        message: `It does not ask ${path} of the admin port: ${why}`,
        mend: `Set httpGet: { path: ${path} } on the admin port`,
      }
  }
}

function* withoutHook({ object, prefix, gate, adminPort }: GuardedWorkload): Generator<Trouble> {
  // Another kind of init container may have no hook
  if (gate?.container.restartPolicy !== 'Always') return
  const hook = treeAt(gate.container, 'lifecycle', 'preStop')
  if (textAt(hook, 'httpGet', 'path') === '/drain' || valueAt(hook, 'exec') !== undefined) return
  yield {
    object,
    path: `${prefix}${gate.path}.lifecycle.preStop`,
    message:
      'Nobody tells the gate that the pod is deleted: clients that keep a connection lose a request with the app',
    mend: `Set httpGet: { path: /drain, port: ${adminPort} }`,
  }
}

function* writable({ object, prefix, gate }: GuardedWorkload): Generator<Trouble> {
  for (const [index, mount] of treesAt(gate?.container, 'volumeMounts').entries())
    if (mount.readOnly !== true)
      yield {
        object,
        path: `${prefix}${gate?.path}.volumeMounts[${index}].readOnly`,
        message: 'The gate needs no volume to write to',
        mend: 'Set readOnly: true',
      }
}
