// What the API server hears about a pod that is to be created.
import { describe, expect, test } from 'vitest'
import { injectPod } from '../../../src/kubernetes/injection/injection.ts'
import { type Review, reviewAdmission } from '../../../src/kubernetes/injector/review.ts'
import { type Tree, textAt, treeAt, valueAt } from '../../../src/kubernetes/manifests/nested-values.ts'
import { applied, reviewOf } from '../../support/admission-review.ts'
import { gateDefaults, podOf } from '../../support/pods.ts'

function review(pod: object, request: object = {}): Review {
  const answered = reviewAdmission(reviewOf(pod, request), gateDefaults)
  if (typeof answered === 'string') throw new Error(answered)
  return answered
}
const responseOf = ({ answer }: Review): Tree => treeAt(answer, 'response')

describe('a pod with the label', () => {
  test.each([
    ['as it is', podOf('orders')],
    ['with annotations', podOf('orders', {}, { annotations: { 'sidegate.dev/mode': 'shadow', other: 'a/b~c' } })],
    [
      'with init containers and volumes',
      podOf('orders', { initContainers: [{ name: 'a' }], volumes: [{ name: 'b' }] }),
    ],
  ])('gets by the patch what injectPod makes, %s', (_name, pod) => {
    const answered = review(pod)
    expect(responseOf(answered)).toMatchObject({ uid: 'u-1', allowed: true, patchType: 'JSONPatch' })
    expect(applied(pod, answered)).toEqual(injectPod(pod, gateDefaults).template)
    expect(answered).toMatchObject({ result: 'injected', pod: 'shop/orders' })
  })

  test('that has the gate already needs no patch', () => {
    const pod = podOf('orders')
    const again = review(applied(pod, review(pod)))
    expect(responseOf(again)).not.toHaveProperty('patch')
    expect(again.result).toBe('unchanged')
  })

  test('gets the gate in a dry run too', () => {
    expect(review(podOf('orders'), { dryRun: true }).result).toBe('injected')
  })

  test('is let in with warnings about what defeats the gate, each short enough to be told whole', () => {
    const answered = review(podOf('orders', { hostNetwork: true, shareProcessNamespace: true }))
    expect(answered.warnings).toHaveLength(3)
    expect(responseOf(answered).warnings).toEqual(answered.warnings)
    for (const warning of answered.warnings) expect(Buffer.byteLength(warning)).toBeLessThanOrEqual(256)
  })

  test('has its warnings cut by bytes, and no more of them than are told', () => {
    const containers = Array.from({ length: 40 }, (_, index) => ({
      name: `ü${'ü'.repeat(200)}${index}`,
      ports: [{ containerPort: 3000 }],
    }))
    const { warnings } = review(podOf('orders', { containers }))
    expect(warnings).toHaveLength(16)
  })

  test('whose annotations cannot be followed is refused, with every mistake and what would be right', () => {
    const annotations = { 'sidegate.dev/mod': 'shadow', 'sidegate.dev/log-level': 'loud' }
    const answered = review(podOf('orders', {}, { annotations }))
    const { status, ...response } = responseOf(answered)
    expect(response).toEqual({ uid: 'u-1', allowed: false })
    expect(status).toMatchObject({ code: 422, reason: 'Invalid' })
    expect(textAt(status, 'message')).toBe(
      'The gate cannot be put into this pod. metadata.annotations["sidegate.dev/mod"]: Unknown annotation, did you mean "sidegate.dev/mode". metadata.annotations["sidegate.dev/log-level"]: Expected one of "trace", "debug", "info", "warn", "error", "silent", got "loud"',
    )
  })

  test('of a controller is called by the name that it will begin with', () => {
    const { labels } = podOf('x').metadata
    expect(review({ ...podOf('x'), metadata: { labels, generateName: 'orders-' } }).pod).toBe('shop/orders-…')
  })
})

describe('let in as it is', () => {
  const pods: Readonly<Record<string, readonly [object, object?]>> = {
    'a pod without the label': [podOf('orders', {}, { labels: {} })],
    'a pod whose label says false': [podOf('orders', {}, { labels: { 'sidegate.dev/inject': 'false' } })],
    'a pod that is changed': [podOf('orders'), { operation: 'UPDATE' }],
    'a part of a pod': [podOf('orders'), { subResource: 'ephemeralcontainers' }],
    'another object': [podOf('orders'), { resource: { group: 'apps', version: 'v1', resource: 'deployments' } }],
  }
  test.each(Object.entries(pods))('%s', (_name, [pod, request]) => {
    const answered = review(pod, request)
    expect(answered.result).toBe('unchanged')
    expect(responseOf(answered)).toEqual({ uid: 'u-1', allowed: true })
  })
})

describe('not a review', () => {
  test.each([
    ['nothing', undefined],
    ['a text', 'AdmissionReview'],
    ['an older version', { ...reviewOf(podOf('x')), apiVersion: 'admission.k8s.io/v1beta1' }],
    ['one without a uid', { ...reviewOf(podOf('x')), request: {} }],
  ])('%s is answered with what was expected', (_name, body) => {
    expect(reviewAdmission(body, gateDefaults)).toBe(
      'Expected an AdmissionReview of admission.k8s.io/v1 with a request and its uid',
    )
  })
})

test('a pod whose lists are something else is refused or let in, and never breaks the review', () => {
  for (const spec of [null, [], 'x', { containers: 'x' }, { containers: [null, 1], initContainers: {}, volumes: 7 }])
    expect(valueAt(responseOf(review({ ...podOf('odd'), spec })), 'allowed')).toBeTypeOf('boolean')
})
