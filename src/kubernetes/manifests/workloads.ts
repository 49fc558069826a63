// Which objects run pods, and where in them is the pod template? The kinds of Kubernetes itself by name, the kinds of other
// projects (an Argo Rollout, a CloneSet) by their shape.
import { isTree, listAt, type Tree, textAt, valueAt } from './nested-values.ts'

const BELOW_SPEC = ['spec', 'template'] as const

/** The path of the pod template in each kind; a Pod is its own. */
const templatePaths: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  Deployment: BELOW_SPEC,
  StatefulSet: BELOW_SPEC,
  DaemonSet: BELOW_SPEC,
  ReplicaSet: BELOW_SPEC,
  ReplicationController: BELOW_SPEC,
  Job: BELOW_SPEC,
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
}

/** The kinds of Kubernetes whose pods can have a gate. */
export const workloadKinds = Object.keys(templatePaths)

/** Knative puts a proxy of its own into the pod and sends every request to that one, which asks the app directly. */
const KNATIVE = /^serving\.knative\.dev\//
/** Deeper than any manifest of a workload. */
const MAXIMUM_DEPTH = 32

export interface TemplatePlace {
  readonly template: Tree
  /** `spec.template`; empty for a Pod. */
  readonly path: readonly string[]
}

/** The pod template of an object; nothing where it runs no pods, or none that a gate can be put into. */
export function templateOf(object: Tree): TemplatePlace | undefined {
  const kind = textAt(object, 'kind') ?? ''
  const path = Object.hasOwn(templatePaths, kind) ? templatePaths[kind] : pathByShape(object)
  if (path === undefined) return undefined
  const template = valueAt(object, ...path)
  return isTree(template) ? { template, path } : undefined
}

function pathByShape(object: Tree): readonly string[] | undefined {
  if (isKnative(object) || !isPodTemplate(valueAt(object, ...BELOW_SPEC))) return undefined
  return BELOW_SPEC
}

/** True for the kinds of Knative Serving, whose requests never pass through a sidecar. */
export function isKnative(object: Tree): boolean {
  return KNATIVE.test(textAt(object, 'apiVersion') ?? '')
}

/** A pod template at a place where `sidegate inject` does not look. */
export interface OtherTemplate {
  readonly template: Tree
  /** `spec.replicatedJobs[0].template.spec.template` */
  readonly path: string
}

/** The pod templates in an object that `templateOf` does not answer, wherever they stand. */
export function otherTemplatesOf(object: Tree): readonly OtherTemplate[] {
  const known = templateOf(object)?.template
  return [...templatesBelow(object, '', 0)].filter(({ template }) => template !== known)
}

function* templatesBelow(value: unknown, path: string, depth: number): Generator<OtherTemplate> {
  if (depth > MAXIMUM_DEPTH) return
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* templatesBelow(item, `${path}[${index}]`, depth + 1)
    return
  }
  if (!isTree(value)) return
  if (isPodTemplate(value)) {
    yield { template: value, path }
    return
  }
  for (const [name, item] of Object.entries(value))
    yield* templatesBelow(item, path === '' ? name : `${path}.${name}`, depth + 1)
}

function isPodTemplate(value: unknown): boolean {
  return isTree(value) && listAt(value, 'spec', 'containers').some(isTree)
}

/** The object with another template at the place of its own. */
export function withTemplate(object: Tree, path: readonly string[], template: Tree): Tree {
  const [first, ...rest] = path
  if (first === undefined) return template
  const below = object[first]
  return { ...object, [first]: withTemplate(isTree(below) ? below : {}, rest, template) }
}

/** `Deployment/orders`. */
export function nameOf(object: Tree): string {
  const name = textAt(object, 'metadata', 'name') ?? textAt(object, 'metadata', 'generateName') ?? '(no name)'
  return `${textAt(object, 'kind') ?? '(no kind)'}/${name}`
}

/** True where both are in one namespace, as far as the manifests say: most leave it to `kubectl -n`. */
export function shareNamespace(one: Tree, other: Tree): boolean {
  const [a, b] = [textAt(one, 'metadata', 'namespace'), textAt(other, 'metadata', 'namespace')]
  return a === undefined || b === undefined || a === b
}
