// What does the API server hear about a pod that is to be created? Pure: an AdmissionReview in, an AdmissionReview out. A pod
// without the label is let in as it is; one whose wish cannot be fulfilled is refused, with what is wrong and what is right.
import { isDeepStrictEqual } from 'node:util'
import { INJECTED_ANNOTATION } from '../injection/annotations.ts'
import { injectPod } from '../injection/injection.ts'
import { type SidecarDefaults, wantsGate } from '../injection/pod-settings.ts'
import { isTree, type Remark, type Tree, textAt, treeAt, valueAt } from '../manifests/nested-values.ts'

const API_VERSION = 'admission.k8s.io/v1'
const KIND = 'AdmissionReview'
/** The API server cuts a warning after 256 characters and drops all of them beyond 4096. */
const LONGEST_WARNING = 256
const MOST_WARNINGS = 16
const LONGEST_REFUSAL = 2048

/** How a review ended. */
export type ReviewResult = 'injected' | 'unchanged' | 'refused'

/** What was decided, for the answer and for the log. */
export interface Review {
  /** The AdmissionReview that answers. */
  readonly answer: Tree
  readonly result: ReviewResult
  /** `shop/orders`; the name of a pod that a controller makes is not known yet. */
  readonly pod: string
  /** Why the pod was refused. */
  readonly refusal?: string | undefined
  readonly warnings: readonly string[]
}

/**
 * Answers an AdmissionReview of `admission.k8s.io/v1`, or a sentence where it is none: the API server then lets nothing in.
 * A dry run is answered like any other, as nothing outside the answer changes.
 */
export function reviewAdmission(body: unknown, defaults: SidecarDefaults): Review | string {
  const { apiVersion, kind } = isTree(body) ? body : {}
  const request = treeAt(body, 'request')
  const uid = textAt(request, 'uid')
  if (apiVersion !== API_VERSION || kind !== KIND || uid === undefined)
    return `Expected an ${KIND} of ${API_VERSION} with a request and its uid`
  const object = treeAt(request, 'object')
  const answered = (result: ReviewResult, response: Tree, said: Partial<Review> = {}): Review => ({
    answer: { apiVersion: API_VERSION, kind: KIND, response: { uid, ...response } },
    result,
    pod: podName(request, object),
    warnings: [],
    ...said,
  })
  if (!isNewPod(request) || !wantsGate(object)) return answered('unchanged', { allowed: true })
  const injection = injectPod(object, defaults)
  if (injection.problems.length > 0) {
    const refusal = refusalOf(injection.problems)
    const status = { status: 'Failure', reason: 'Invalid', code: 422, message: refusal }
    return answered('refused', { allowed: false, status }, { refusal })
  }
  const patch = patchBetween(object, injection.template)
  const warnings = warningsOf(injection.warnings)
  const told = warnings.length === 0 ? {} : { warnings }
  if (patch.length === 0) return answered('unchanged', { allowed: true, ...told }, { warnings })
  const encoded = Buffer.from(JSON.stringify(patch)).toString('base64')
  return answered('injected', { allowed: true, patchType: 'JSONPatch', patch: encoded, ...told }, { warnings })
}

/** Pods when they are made: later their containers cannot change any more. */
function isNewPod(request: Tree): boolean {
  const { group, resource } = treeAt(request, 'resource')
  const isPod = (group ?? '') === '' && resource === 'pods' && (request.subResource ?? '') === ''
  return isPod && request.operation === 'CREATE'
}

function podName(request: Tree, object: Tree): string {
  const metadata = treeAt(object, 'metadata')
  const name = textAt(metadata, 'name') ?? textAt(request, 'name') ?? `${textAt(metadata, 'generateName') ?? ''}…`
  return `${textAt(request, 'namespace') ?? ''}/${name}`
}

function refusalOf(problems: readonly Remark[]): string {
  const sentences = problems.map(({ path, message }) => `${path}: ${message}`)
  return cut(`The gate cannot be put into this pod. ${sentences.join('. ')}`, LONGEST_REFUSAL)
}

function warningsOf(remarks: readonly Remark[]): readonly string[] {
  return remarks.slice(0, MOST_WARNINGS).map(({ path, message }) => cut(`${path}: ${message}`, LONGEST_WARNING))
}

/** Cuts after so many bytes: the API server counts them, not characters. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text
  const kept = new TextDecoder().decode(Buffer.from(text).subarray(0, bytes - 6))
  return `${kept.replace(/\uFFFD+$/, '')}…`
}

interface Operation {
  readonly op: 'add'
  readonly path: string
  readonly value: unknown
}

/** JSON Patch (RFC 6902). "add" to a member puts it in place of what is there, so one form is enough. */
function patchBetween(before: Tree, after: Tree): readonly Operation[] {
  const added = (path: readonly string[]): readonly Operation[] => {
    const value = valueAt(after, ...path)
    if (isDeepStrictEqual(valueAt(before, ...path), value)) return []
    return [
      { op: 'add', path: path.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''), value },
    ]
  }
  const hasAnnotations = isTree(valueAt(before, 'metadata', 'annotations'))
  return [
    ...added(hasAnnotations ? ['metadata', 'annotations', INJECTED_ANNOTATION] : ['metadata', 'annotations']),
    ...['initContainers', 'containers', 'volumes'].flatMap((list) => added(['spec', list])),
  ]
}
