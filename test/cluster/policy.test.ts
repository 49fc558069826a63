// The policy of the chart, worked out by a real API server: the pods are what injectPod makes of them, and what it refuses the
// policy refuses as well.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { injectPod } from '../../src/kubernetes/injection/injection.ts'
import { type Tree, treeAt, treesAt, valueAt } from '../../src/kubernetes/manifests/nested-values.ts'
import { version } from '../../src/runtime/version.ts'
import { type Cluster, clusterMissing, startCluster } from '../support/cluster.ts'
import { chart, helms, runHelm, valuesFile } from '../support/helm.ts'
import { podOf, restrictedPod } from '../support/pods.ts'

const defaults = {
  image: `registry.example.com/sidegate:${version}`,
  imagePullPolicy: 'Always',
  configMap: 'sidegate',
  version,
}
const app = (members: object) => ({
  name: 'app',
  image: 'orders',
  ports: [{ name: 'http', containerPort: 3000 }],
  ...members,
})
const probed = (probe: object) => ({ containers: [app({ livenessProbe: { periodSeconds: 7, ...probe } })] })
const annotated = (annotations: object) => ({ annotations })

/** Pods by what is special about them. */
const pods: Readonly<Record<string, object>> = {
  'the plain pod': podOf('plain'),
  'a pod without ports': podOf('silent', { containers: [{ name: 'app', image: 'orders' }] }),
  'a pod with volumes, init containers and two apps': podOf('full', {
    initContainers: [{ name: 'migrate', image: 'orders' }],
    volumes: [{ name: 'data', emptyDir: {} }],
    containers: [
      app({ startupProbe: { httpGet: { path: '/start', port: 3000 }, failureThreshold: 30 } }),
      { name: 'other', image: 'other', ports: [{ containerPort: 4000 }], readinessProbe: { httpGet: { port: 4000 } } },
    ],
  }),
  'a probe by TCP': podOf('tcp', probed({ tcpSocket: { port: 'http' } })),
  'a probe by exec': podOf('exec', probed({ exec: { command: ['true'] } })),
  'a probe of another port': podOf('other', probed({ httpGet: { path: '/', port: 5000 } })),
  'a probe with headers': podOf(
    'headers',
    probed({
      httpGet: {
        path: '/a?b=c',
        port: 'http',
        httpHeaders: [
          { name: 'X-Probe', value: '"yes"' },
          { name: 'Host', value: 'a' },
        ],
      },
    }),
  ),
  'a probe over HTTPS': podOf('secure', probed({ httpGet: { path: '/health', port: 3000, scheme: 'HTTPS' } })),
  'ports of its own': podOf(
    'ports',
    {},
    annotated({ 'sidegate.dev/listen-port': '8081', 'sidegate.dev/admin-port': '9091' }),
  ),
  'all annotations': podOf(
    'annotated',
    {},
    annotated({
      'sidegate.dev/upstream': 'http://localhost:3000/',
      'sidegate.dev/config': 'orders-gate',
      'sidegate.dev/secret': 'orders-keys',
      'sidegate.dev/image': 'registry.example.com/sidegate@sha256:00',
      'sidegate.dev/mode': 'shadow',
      'sidegate.dev/log-level': 'debug',
      'sidegate.dev/cpu-request': '50m',
      'sidegate.dev/memory-request': '64Mi',
      'sidegate.dev/memory-limit': '512Mi',
    }),
  ),
  'probes that stay': podOf('stay', {}, annotated({ 'sidegate.dev/rewrite-probes': 'false' })),
}

/** Pods that cannot have the gate, with what is said. */
const refused: Readonly<Record<string, readonly [object, string]>> = {
  'an unknown annotation': [podOf('a', {}, annotated({ 'sidegate.dev/listen-prot': '1' })), 'Unknown annotation'],
  'a port that is none': [podOf('b', {}, annotated({ 'sidegate.dev/listen-port': '99999' })), 'Expected a port'],
  'an app elsewhere': [
    podOf('c', {}, annotated({ 'sidegate.dev/upstream': 'http://10.0.0.1:3000' })),
    'Expected where the app listens',
  ],
  'an app that mounts the volume of the gate': [
    podOf('e', { containers: [{ ...app({}), volumeMounts: [{ name: 'sidegate', mountPath: '/keys' }] }] }),
    'mounts a volume that holds the keys of the gate',
  ],
  'an app that mounts the Secret of the gate by a volume of its own': [
    podOf(
      'f',
      {
        containers: [{ ...app({}), volumeMounts: [{ name: 'more', mountPath: '/keys' }] }],
        volumes: [{ name: 'more', projected: { sources: [{ secret: { name: 'keys' } }] } }],
      },
      annotated({ 'sidegate.dev/secret': 'keys' }),
    ),
    'mounts a volume that holds the keys of the gate',
  ],
  'an app that reads the Secret of the gate': [
    podOf(
      'g',
      { containers: [{ ...app({}), envFrom: [{ secretRef: { name: 'keys' } }] }] },
      annotated({ 'sidegate.dev/secret': 'keys' }),
    ),
    'reads the Secret of the gate',
  ],
  'a pod of Knative': [podOf('h', { containers: [app({}), { name: 'queue-proxy', image: 'x' }] }), 'would be bypassed'],
  'two on one port': [podOf('d', {}, annotated({ 'sidegate.dev/listen-port': '3000' })), 'The app has port 3000'],
}

describe.skipIf(clusterMissing !== undefined || helms.length === 0)('the policy of the chart', () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await startCluster()
    await cluster.makeNamespace('gates')
    await cluster.makeNamespace('shop')
    await cluster.makeNamespace('vault', { 'pod-security.kubernetes.io/enforce': 'restricted' })
    const given = ['--kubeconfig', cluster.kubeconfig, '--namespace', 'gates', '--values', valuesFile('policy')]
    const installed = runHelm(helms[0]!, 'install', 'sidegate', chart, ...given)
    expect(installed.status, installed.output).toBe(0)
    await vi.waitFor(async () => {
      const { status, body } = await create(podOf('first'), 'shop', '?dryRun=All')
      expect([status, valueAt(body, 'spec', 'initContainers', 0, 'name')], JSON.stringify(body)).toEqual([
        201,
        'sidegate',
      ])
    }, 20_000)
  })
  afterAll(() => cluster?.stop())

  const create = (pod: object, namespace = 'shop', query = '') =>
    cluster.ask('POST', `/api/v1/namespaces/${namespace}/pods${query}`, { body: pod })

  /** The pod as it is where the gate was written into its manifest by injectPod, and no policy looked at it. */
  async function written(pod: object): Promise<Tree> {
    const { template, problems } = injectPod(pod as Tree, defaults)
    expect(problems).toEqual([])
    const metadata = { ...treeAt(template, 'metadata'), labels: {} }
    return (await create({ ...template, metadata }, 'shop', '?dryRun=All')).body
  }

  const withoutTokens = (pod: object) => ({
    ...pod,
    spec: { ...treeAt(pod, 'spec'), automountServiceAccountToken: false },
  })

  for (const [name, pod] of Object.entries(pods))
    test(`makes of ${name} what injectPod makes of it`, async () => {
      const given = withoutTokens(pod)
      const { status, body } = await create(given, 'shop', '?dryRun=All')
      expect(status, JSON.stringify(body)).toBe(201)
      const expected = await written(given)
      expect(body.spec).toEqual(expected.spec)
      expect(valueAt(body, 'metadata', 'annotations')).toEqual(valueAt(expected, 'metadata', 'annotations'))
    })

  for (const [name, [pod, sentence]] of Object.entries(refused))
    test(`refuses ${name}, with what would be right`, async () => {
      const { status, body } = await create(pod)
      expect(status).toBe(422)
      expect(body.message).toContain(sentence)
    })

  test('gives the gate no token of the service account, though its pod has one', async () => {
    const { body } = await create(podOf('with-token'))
    const mounts = (container: unknown) => treesAt(container, 'volumeMounts').map(({ mountPath }) => mountPath)
    expect(mounts(valueAt(body, 'spec', 'containers', 0))).toEqual(['/var/run/secrets/kubernetes.io/serviceaccount'])
    expect(mounts(valueAt(body, 'spec', 'initContainers', 0))).toEqual(['/etc/sidegate'])
  })

  test('leaves a gate that stands in the manifest as it is, but for the token', async () => {
    const { template } = injectPod(podOf('written'), { ...defaults, image: 'registry.example.com/sidegate:0.0.1' })
    const { status, body } = await create(template)
    expect(status).toBe(201)
    expect(treesAt(body, 'spec', 'initContainers')).toMatchObject([
      { image: 'registry.example.com/sidegate:0.0.1', volumeMounts: [{ mountPath: '/etc/sidegate' }] },
    ])
    expect(valueAt(body, 'spec', 'initContainers', 0, 'volumeMounts')).toHaveLength(1)
  })

  test('leaves pods without the label alone', async () => {
    const { body } = await create(podOf('no-label', {}, { labels: { app: 'orders' } }))
    expect(valueAt(body, 'spec', 'initContainers')).toBeUndefined()
  })

  test('is let into a namespace that enforces the restricted profile', async () => {
    expect(await create(restrictedPod('tight'), 'vault')).toMatchObject({ status: 201 })
  })
})
