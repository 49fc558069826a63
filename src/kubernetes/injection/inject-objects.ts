// Which objects of an input get the gate, and what around them has to follow? The pods with the label, or all; and the
// Services that send to their apps, which have to send to the gate. Pure.

import { type Remark, type Tree, treeAt, treesAt } from '../manifests/nested-values.ts'
import { nameOf, shareNamespace, templateOf, withTemplate } from '../manifests/workloads.ts'
import { type Injection, injectPod } from './injection.ts'
import { labelOnWorkload, unreachedTemplates } from './label-reach.ts'
import { selects, serviceDetours } from './pod-dangers.ts'
import { refusesGate, type SidecarDefaults, wantsGate } from './pod-settings.ts'

export interface InjectOptions {
  readonly defaults: SidecarDefaults
  /** Every workload, but for those whose label says "false". */
  readonly isForAll: boolean
}

/** What was done with one object. */
export interface ObjectReport {
  /** `Deployment/orders`. */
  readonly object: string
  readonly changes: readonly Remark[]
  readonly warnings: readonly Remark[]
  readonly problems: readonly Remark[]
}

export interface InjectedObjects {
  /** As many as were given, in their order. */
  readonly objects: readonly Tree[]
  /** One for each object that was looked at more closely. */
  readonly reports: readonly ObjectReport[]
  /** How many workloads have a gate now. */
  readonly gates: number
}

interface Injected {
  readonly object: Tree
  readonly injection: Injection
}

/** Puts the gate into the objects that want it, and turns their Services to it. */
export function injectObjects(objects: readonly Tree[], { defaults, isForAll }: InjectOptions): InjectedObjects {
  const injected: Injected[] = []
  const others: Tree[] = []
  const reports: ObjectReport[] = []
  const withGates = objects.map((object) => {
    reports.push(...withoutReach(object, isForAll))
    const place = templateOf(object)
    if (place === undefined) return object
    const { template, path } = place
    if (!(isForAll ? !refusesGate(template) : wantsGate(template))) {
      others.push(object)
      return object
    }
    const injection = injectPod(template, defaults)
    reports.push({ object: nameOf(object), ...below(path, injection) })
    if (injection.problems.length > 0) return object
    injected.push({ object, injection })
    return withTemplate(object, path, injection.template)
  })
  const turned = withGates.map((object) => {
    if (object.kind !== 'Service') return object
    const { service, report } = turnService(object, injected, others)
    if (report !== undefined) reports.push(report)
    return service
  })
  return { objects: turned, reports, gates: injected.length }
}

/** What is said of pods that want the gate and cannot get it: a label that asks for one is never passed over in silence. */
function withoutReach(object: Tree, isForAll: boolean): readonly ObjectReport[] {
  const unreached = unreachedTemplates(object)
  const misplaced = labelOnWorkload(object)
  const remarkOf = ({ path, message, mend }: Remark & { readonly mend: string }) => ({
    path,
    message: `${message}. ${mend}`,
  })
  const problems = unreached.filter(({ isAsking }) => isAsking).map(remarkOf)
  const warnings = [
    ...(isForAll ? unreached.filter(({ isAsking }) => !isAsking) : []),
    ...(misplaced === undefined || isForAll ? [] : [misplaced]),
  ].map(remarkOf)
  return problems.length + warnings.length === 0 ? [] : [{ object: nameOf(object), changes: [], warnings, problems }]
}

/** The remarks about a template, as seen from the object around it. */
function below(path: readonly string[], { changes, warnings, problems }: Injection): Omit<ObjectReport, 'object'> {
  const placed = (remarks: readonly Remark[]) =>
    remarks.map((remark) => ({ ...remark, path: [...path, remark.path].join('.') }))
  return { changes: placed(changes), warnings: placed(warnings), problems: placed(problems) }
}

interface TurnedService {
  readonly service: Tree
  readonly report?: ObjectReport
}

function turnService(service: Tree, injected: readonly Injected[], others: readonly Tree[]): TurnedService {
  const changes: Remark[] = []
  const ports = new Map<number, number>()
  for (const { object, injection } of injected) {
    if (!shareNamespace(object, service)) continue
    const { upstream, listenPort } = injection.pod
    for (const { index, targetPort } of serviceDetours(service, injection.template, upstream)) {
      if (ports.has(index)) continue
      ports.set(index, listenPort)
      changes.push({
        path: `spec.ports[${index}].targetPort`,
        message: `Send to the gate's port ${listenPort} in place of the app's ${JSON.stringify(targetPort)}`,
      })
    }
  }
  if (changes.length === 0) return { service }
  const spec = treeAt(service, 'spec')
  const turned = treesAt(spec, 'ports').map((port, index) => {
    const targetPort = ports.get(index)
    return targetPort === undefined ? port : { ...port, targetPort }
  })
  const report = { object: nameOf(service), changes, warnings: sharedService(service, others), problems: [] }
  return { service: { ...service, spec: { ...spec, ports: turned } }, report }
}

function sharedService(service: Tree, others: readonly Tree[]): readonly Remark[] {
  return others
    .filter((object) => shareNamespace(object, service) && selects(service, treeAt(templateOf(object), 'template')))
    .map((object) => ({
      path: 'spec.selector',
      message: `It sends to the pods of ${nameOf(object)} as well, which have no gate on that port`,
    }))
}
