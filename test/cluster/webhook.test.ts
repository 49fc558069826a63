// The webhook, asked by a real API server: what a pod looks like when it is read back, and what is let in when nobody answers.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { injectPod } from '../../src/kubernetes/injection/injection.ts'
import { buildSidecar } from '../../src/kubernetes/injection/sidecar.ts'
import { type Tree, treeAt, treesAt, valueAt } from '../../src/kubernetes/manifests/nested-values.ts'
import { makeCertificates, type TestCertificates } from '../support/certificates.ts'
import { type Cluster, clusterMissing, startCluster } from '../support/cluster.ts'
import { fromPair, startInjector, type TestInjector, webhookConfiguration } from '../support/injector.ts'
import { gateDefaults, podOf, restrictedPod } from '../support/pods.ts'
import { gateIn } from '../support/ways.ts'

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'

describe.skipIf(clusterMissing !== undefined)('the webhook, asked by an API server', () => {
  let cluster: Cluster
  let certificates: TestCertificates
  let injector: TestInjector

  beforeAll(async () => {
    cluster = await startCluster()
    certificates = makeCertificates()
    injector = await startInjector({ source: fromPair(certificates) })
    await cluster.makeNamespace('shop')
    await cluster.makeNamespace('vault', { 'pod-security.kubernetes.io/enforce': 'restricted' })
    const caBundle = Buffer.from(certificates.authority).toString('base64')
    const body = webhookConfiguration('sidegate', { url: `${injector.url}/inject`, caBundle })
    expect(await cluster.ask('POST', CONFIGURATIONS, { body })).toMatchObject({ status: 201 })
    await untilAsked()
  })
  afterAll(async () => {
    await injector?.stop()
    await cluster?.stop()
    certificates?.remove()
  })

  /** API servers hear of a new configuration a little later. */
  async function untilAsked(): Promise<void> {
    await vi.waitFor(
      async () => expect((await create(podOf('probe'), 'shop', '?dryRun=All')).gate.place).toBe(0),
      10_000,
    )
  }

  async function create(pod: object, namespace = 'shop', query = '') {
    const answer = await cluster.ask('POST', `/api/v1/namespaces/${namespace}/pods${query}`, { body: pod })
    return { ...answer, spec: treeAt(answer.body, 'spec'), gate: gateIn(answer.body.spec) }
  }

  async function readBack(name: string, namespace = 'shop'): Promise<Tree> {
    return (await cluster.ask('GET', `/api/v1/namespaces/${namespace}/pods/${name}`)).body
  }

  test('puts into a pod with the label what buildSidecar makes, and nothing else', async () => {
    const pod = podOf('orders', { automountServiceAccountToken: false })
    // What the same pod looks like where the gate was written into the manifest: the API server adds its defaults to both.
    const { template } = injectPod(pod, gateDefaults)
    const labels = { app: 'orders' }
    const written = await create({
      ...template,
      metadata: { ...treeAt(template, 'metadata'), name: 'written', labels },
    })
    expect(written).toMatchObject({ status: 201 })
    expect(await create(pod)).toMatchObject({ status: 201 })
    const injected = await readBack('orders')
    expect(injected.spec).toEqual(written.spec)
    expect(gateIn(injected.spec).container).toMatchObject(
      buildSidecar({
        image: 'registry.example.com/sidegate:1.2.3',
        upstream: 'http://127.0.0.1:3000',
        appProbes: { app: { readiness: 'http://127.0.0.1:3000/health' } },
      }),
    )
    expect(valueAt(injected, 'metadata', 'annotations')).toEqual({ 'sidegate.dev/injected': '1.2.3' })
  })

  test('turns the probes of the app to the gate', async () => {
    const { spec } = await create(podOf('probed'))
    expect(valueAt(spec, 'containers', 0, 'readinessProbe')).toMatchObject({
      httpGet: { path: '/app-probe/app/readiness', port: 9090 },
      periodSeconds: 5,
      timeoutSeconds: 2,
    })
  })

  test('gives the gate no token of the service account, though its pod has one', async () => {
    const { spec } = await create(podOf('with-token'))
    const mounts = (container: unknown) => treesAt(container, 'volumeMounts').map(({ mountPath }) => mountPath)
    expect(mounts(valueAt(spec, 'containers', 0))).toEqual(['/var/run/secrets/kubernetes.io/serviceaccount'])
    expect(mounts(valueAt(spec, 'initContainers', 0))).toEqual(['/etc/sidegate'])
  })

  test('tells whoever made the pod what defeats the gate', async () => {
    const { warnings } = await create(podOf('open', { hostNetwork: true, containers: appWithHostPort() }))
    expect(warnings.join('\n')).toContain("spec.hostNetwork: The pod shares its node's network")
    expect(warnings.join('\n')).toContain('The app declares port 3000, as apps do that listen for everybody')
  })

  function appWithHostPort() {
    return [{ name: 'app', image: 'orders', ports: [{ containerPort: 3000, hostPort: 3000 }] }]
  }

  test('leaves a pod without the label as it is', async () => {
    const before = injector.lines.length
    const { status, gate } = await create(podOf('plain', {}, { labels: { app: 'plain' } }))
    expect(status).toBe(201)
    expect(gate.place).toBe(-1)
    expect(injector.lines.length).toBe(before)
  })

  test('refuses a pod whose annotation cannot be followed, and says what is wrong and right', async () => {
    const annotations = { 'sidegate.dev/listen-prot': '8081' }
    const { status, body } = await create(podOf('mistaken', {}, { annotations }))
    expect(status).toBe(422)
    expect(body.message).toContain(
      'metadata.annotations["sidegate.dev/listen-prot"]: Unknown annotation, did you mean "sidegate.dev/listen-port"',
    )
    expect((await readBack('mistaken')).kind).toBe('Status')
  })

  test('is let into a namespace that enforces the restricted profile', async () => {
    expect(await create(podOf('loose'), 'vault')).toMatchObject({ status: 403 })
    const { status, gate } = await create(restrictedPod('tight'), 'vault')
    expect(status).toBe(201)
    expect(gate.place).toBe(0)
  })

  test('asked twice answers the same: a pod that has the gate gets no second one', async () => {
    const { template } = injectPod(podOf('again'), gateDefaults)
    const { status, spec } = await create(template)
    expect(status).toBe(201)
    expect(treesAt(spec, 'initContainers').map(({ name }) => name)).toEqual(['sidegate'])
    expect(treesAt(spec, 'volumes').filter(({ name }) => name === 'sidegate')).toHaveLength(1)
  })

  test('that does not answer keeps pods with the label out, and no others', async () => {
    await injector.stop()
    const refused = await create(podOf('late'))
    expect(refused.status).toBe(500)
    expect(refused.body.message).toContain('failed calling webhook "inject.sidegate.dev"')
    expect(await create(podOf('unconcerned', {}, { labels: { app: 'x' } }))).toMatchObject({ status: 201 })
  })
})
