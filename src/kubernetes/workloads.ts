// Which objects run pods, and where in them is the pod template?
import { isTree, type Tree, textAt, valueAt } from './tree.ts'

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

/** The kinds whose pods can have a gate. */
export const workloadKinds = Object.keys(templatePaths)

export interface TemplatePlace {
  readonly template: Tree
  /** `spec.template`; empty for a Pod. */
  readonly path: readonly string[]
}

/** The pod template of an object; nothing where it runs no pods. */
export function templateOf(object: Tree): TemplatePlace | undefined {
  const kind = textAt(object, 'kind') ?? ''
  const path = Object.hasOwn(templatePaths, kind) ? templatePaths[kind] : undefined
  if (path === undefined) return undefined
  const template = valueAt(object, ...path)
  return isTree(template) ? { template, path } : undefined
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
