// Labels that ask for the gate where `sidegate inject` and the injector cannot give it. Each one is reported: a label that is
// passed over in silence leaves an app unguarded whose author believes otherwise.

import { type Remark, type Tree, textAt } from '../manifests/nested-values.ts'
import { isKnative, otherTemplatesOf, templateOf } from '../manifests/workloads.ts'
import { INJECT_LABEL } from './annotations.ts'
import { wantsGate } from './pod-settings.ts'

/** Pods that get no gate from a manifest, where they are and why. */
export interface UnreachedTemplate extends Remark {
  /** What to do instead. */
  readonly mend: string
  readonly isAsking: boolean
  readonly isKnative: boolean
}

/** The pods of an object that stand where no gate can be put, whether they ask for it or not. */
export function unreachedTemplates(object: Tree): readonly UnreachedTemplate[] {
  const ofKnative = isKnative(object)
  const sentences = ofKnative ? KNATIVE : UNKNOWN_PLACE
  return otherTemplatesOf(object).map(({ template, path }) => {
    return { path, ...sentences, isAsking: wantsGate(template), isKnative: ofKnative }
  })
}

const KNATIVE = {
  message:
    'Knative sends requests to its queue-proxy, which asks the app directly: a gate in this pod would be bypassed',
  mend: 'Run Sidegate as a Deployment in front of the Knative Service, and let requests reach it from there alone',
}
const UNKNOWN_PLACE = {
  message: 'These pods do not get the gate here: no workload is known that has its pod template at this place',
  mend: 'Put the gate in by hand (deploy/sidecar.yaml), or use the injector of the chart, which sees the pods themselves',
}

/** The label on the workload itself, where nothing reads it, and not on its pods. */
export function labelOnWorkload(object: Tree): (Remark & { readonly mend: string }) | undefined {
  const place = templateOf(object)
  if (place === undefined || place.path.length === 0) return undefined
  if (textAt(object, 'metadata', 'labels', INJECT_LABEL) !== 'true') return undefined
  if (textAt(place.template, 'metadata', 'labels', INJECT_LABEL) !== undefined) return undefined
  return {
    path: `metadata.labels["${INJECT_LABEL}"]`,
    message: 'The label is on the workload, where nothing reads it, and its pods get no gate',
    mend: `Put it on the pods: ${place.path.join('.')}.metadata.labels`,
  }
}
