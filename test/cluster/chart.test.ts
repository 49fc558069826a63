// The chart in a real API server: installed, used, upgraded and taken away again, in each mode. Pods are made here, as there
// are no controllers; in webhook mode the injector runs in this process, as the service account of the chart, and the Service
// of the chart is led to it.
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { buildSidecar, buildVolume } from '../../src/kubernetes/injection/sidecar.ts'
import { createCluster } from '../../src/kubernetes/injector/cluster.ts'
import { readDefaults } from '../../src/kubernetes/injector/defaults.ts'
import { selfMadeCertificate } from '../../src/kubernetes/injector/self-signed-certificate.ts'
import { listAt, type Tree, textAt, treeAt, treesAt, valueAt } from '../../src/kubernetes/manifests/nested-values.ts'
import { version } from '../../src/runtime/version.ts'
import { type Cluster, clusterMissing, startCluster } from '../support/cluster.ts'
import { chart, helms, runHelm, valuesFile } from '../support/helm.ts'
import { shownBy, startInjector, type TestInjector } from '../support/injector.ts'
import { podOf } from '../support/pods.ts'
import { startProcess } from '../support/process.ts'
import { gateIn } from '../support/ways.ts'

const ADMISSION = '/apis/admissionregistration.k8s.io/v1'
const CONFIGURATION = `${ADMISSION}/mutatingwebhookconfigurations/sidegate`
const SERVICE = '/api/v1/namespaces/gates/services/sidegate-injector'
const SECRET = '/api/v1/namespaces/gates/secrets/sidegate-injector-certificate'
const DAY_MS = 86_400_000

describe.skipIf(clusterMissing !== undefined || helms.length === 0)('the chart in a cluster', () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await startCluster()
    for (const namespace of ['gates', 'shop', 'bank']) await cluster.makeNamespace(namespace)
    await cluster.makeNamespace('vault', { 'pod-security.kubernetes.io/enforce': 'restricted' })
  })
  afterAll(() => cluster?.stop())

  const create = (pod: object, query = '') => cluster.ask('POST', `/api/v1/namespaces/shop/pods${query}`, { body: pod })
  const hasGate = (pod: Tree) => treesAt(pod, 'spec', 'initContainers').some(({ name }) => name === 'sidegate')

  async function untilGated(): Promise<void> {
    await vi.waitFor(async () => {
      const { body } = await create(podOf('probe'), '?dryRun=All')
      expect(hasGate(body), JSON.stringify(body)).toBe(true)
    }, 20_000)
  }

  /** Everything that has the label of the release, wherever it is. */
  async function leftovers(): Promise<readonly string[]> {
    const kinds = [
      ...['configmaps', 'secrets', 'services', 'serviceaccounts', 'pods'].map((kind) => `/api/v1/${kind}`),
      ...['deployments', 'statefulsets'].map((kind) => `/apis/apps/v1/${kind}`),
      ...['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'].map(
        (kind) => `/apis/rbac.authorization.k8s.io/v1/${kind}`,
      ),
      ...['mutatingwebhookconfigurations', 'mutatingadmissionpolicies', 'mutatingadmissionpolicybindings'].map(
        (kind) => `${ADMISSION}/${kind}`,
      ),
      ...['validatingadmissionpolicies', 'validatingadmissionpolicybindings'].map((kind) => `${ADMISSION}/${kind}`),
      '/apis/policy/v1/poddisruptionbudgets',
      '/apis/networking.k8s.io/v1/networkpolicies',
    ]
    const found = await Promise.all(
      kinds.map(async (kind) => {
        const { body } = await cluster.ask('GET', `${kind}?labelSelector=app.kubernetes.io/instance=sidegate`)
        return treesAt(body, 'items').map((item) => `${kind} ${textAt(item, 'metadata', 'name')}`)
      }),
    )
    return found.flat()
  }

  for (const tool of helms) {
    const helm = (verb: string, ...given: string[]) => {
      const ran = runHelm(tool, verb, '--kubeconfig', cluster.kubeconfig, '--namespace', 'gates', ...given)
      expect(ran.status, ran.output).toBe(0)
      return ran.output
    }
    const install = (values: string) => {
      onTestFinished(() => {
        runHelm(tool, 'uninstall', '--kubeconfig', cluster.kubeconfig, '--namespace', 'gates', 'sidegate')
      })
      helm('install', 'sidegate', chart, '--values', valuesFile(values))
    }

    describe(`by helm ${tool.version}`, () => {
      test('with no injection brings the settings, takes other ones, and leaves nothing', async () => {
        install('minimal')
        const settings = async () => (await cluster.ask('GET', '/api/v1/namespaces/gates/configmaps/sidegate')).body
        expect(textAt(await settings(), 'data', 'sidegate.yaml')).toContain('issuer: https://id.example.com')
        expect(hasGate((await create(podOf('ungated'), '?dryRun=All')).body)).toBe(false)
        helm('upgrade', 'sidegate', chart, '--values', valuesFile('minimal'), '--set', 'settings.mode=shadow')
        expect(textAt(await settings(), 'data', 'sidegate.yaml')).toContain('mode: shadow')
        helm('uninstall', 'sidegate')
        expect(await leftovers()).toEqual([])
      })

      test('with the policy gives pods the gate, takes another image, and leaves nothing', async () => {
        install('policy')
        await untilGated()
        helm('upgrade', 'sidegate', chart, '--values', valuesFile('policy'), '--set', 'image.tag=9.9.9')
        await vi.waitFor(async () => {
          const { body } = await create(podOf('later'), '?dryRun=All')
          expect(valueAt(body, 'spec', 'initContainers', 0, 'image')).toBe('registry.example.com/sidegate:9.9.9')
        }, 20_000)
        helm('uninstall', 'sidegate')
        expect(await leftovers()).toEqual([])
        await vi.waitFor(
          async () => expect(hasGate((await create(podOf('after'), '?dryRun=All')).body)).toBe(false),
          20_000,
        )
      })

      test.each(['webhook', 'redis'])('has pods that the restricted profile lets in, with %s', async (values) => {
        install(values)
        for (const kind of ['deployments', 'statefulsets']) {
          const { body } = await cluster.ask('GET', `/apis/apps/v1/namespaces/gates/${kind}`)
          for (const { metadata, spec } of treesAt(body, 'items')) {
            const { serviceAccountName: _name, serviceAccount: _account, ...podSpec } = treeAt(spec, 'template', 'spec')
            const name = textAt(metadata, 'name')
            // The controller of a StatefulSet puts a claim in the place of each of these.
            const claims = treesAt(spec, 'volumeClaimTemplates').map((claim) => {
              return { name: textAt(claim, 'metadata', 'name'), emptyDir: {} }
            })
            const volumes = [...listAt(podSpec, 'volumes'), ...claims]
            const pod = { metadata: { name }, spec: { ...podSpec, volumes } }
            const answer = await cluster.ask('POST', '/api/v1/namespaces/vault/pods?dryRun=All', { body: pod })
            expect(answer.status, JSON.stringify(answer.body)).toBe(201)
          }
        }
        helm('uninstall', 'sidegate')
        expect(await leftovers()).toEqual([])
      })

      describe('with the webhook', () => {
        const injectors: TestInjector[] = []
        // Past half of its life, and still good today.
        let nowMs = Date.now() - 46 * DAY_MS

        /** One replica, with the rights of the chart. */
        async function startReplica(): Promise<TestInjector> {
          const accountFolder = await cluster.accountFolder('gates', 'sidegate-injector')
          const source = selfMadeCertificate({
            ask: createCluster({ server: cluster.server, accountFolder }),
            webhook: 'sidegate',
            service: 'sidegate-injector',
            namespace: 'gates',
            secret: 'sidegate-injector-certificate',
            clock: () => nowMs,
          })
          const { body } = await cluster.ask('GET', '/api/v1/namespaces/gates/configmaps/sidegate-injector')
          const { defaults, problems } = readDefaults(textAt(body, 'data', 'defaults.yaml') ?? '', version)
          expect(problems).toEqual([])
          const injector = await startInjector({ source, readDefaults: async () => defaults })
          injectors.push(injector)
          return injector
        }

        /** Leads the Service of the chart to this process: the API server calls it by the name of the Service. */
        async function leadTo({ port }: TestInjector): Promise<void> {
          await cluster.ask('DELETE', SERVICE)
          const metadata = { name: 'sidegate-injector', labels: { 'app.kubernetes.io/instance': 'sidegate' } }
          const body = { metadata, spec: { type: 'ExternalName', externalName: 'localhost' } }
          expect(await cluster.ask('POST', '/api/v1/namespaces/gates/services', { body })).toMatchObject({
            status: 201,
          })
          await patchWebhook('/webhooks/0/clientConfig/service/port', port)
        }

        async function patchWebhook(path: string, value: unknown): Promise<void> {
          const contentType = 'application/json-patch+json'
          const answer = await cluster.ask('PATCH', CONFIGURATION, {
            body: [{ op: 'replace', path, value }],
            contentType,
          })
          expect(answer).toMatchObject({ status: 200 })
        }

        async function caBundle(): Promise<string> {
          const { body } = await cluster.ask('GET', CONFIGURATION)
          const text = textAt(valueAt(body, 'webhooks', 0), 'clientConfig', 'caBundle') ?? ''
          return Buffer.from(text, 'base64').toString('utf8')
        }

        async function certificate(): Promise<string> {
          const { body } = await cluster.ask('GET', SECRET)
          return Buffer.from(textAt(body, 'data', 'tls.crt') ?? '', 'base64').toString('utf8')
        }

        const authorities = async () => (await caBundle()).split('-----BEGIN').length - 1

        beforeAll(() => {
          helm('install', 'sidegate', chart, '--values', valuesFile('webhook'))
        })
        afterAll(() => Promise.all(injectors.map(({ stop }) => stop())))

        test('keeps labelled pods out until the injector is believed', async () => {
          await vi.waitFor(async () => expect((await create(podOf('early'), '?dryRun=All')).status).toBe(500), 10_000)
          expect(await certificate()).toBe('')
        })

        test('two replicas make one certificate, and the API server believes it', async () => {
          const [one, other] = await Promise.all([startReplica(), startReplica()])
          for (const replica of [one, other]) {
            await replica.check()
            expect(replica.lines.filter(([level]) => level === 'error')).toEqual([])
            expect(await shownBy(replica)).toBe(await certificate())
          }
          expect(await authorities()).toBe(1)
          await leadTo(one)
          await untilGated()
          const { body } = await create(podOf(`gated-${tool.version.replaceAll('.', '-')}`))
          const image = `registry.example.com/sidegate:${version}`
          const resources = { cpuRequest: '100m', memoryRequest: '128Mi', memoryLimit: '256Mi' }
          const appProbes = { app: { readiness: 'http://127.0.0.1:3000/health' } }
          expect(gateIn(body.spec).container).toMatchObject(
            buildSidecar({ image, upstream: 'http://127.0.0.1:3000', resources, appProbes }),
          )
          expect(gateIn(body.spec).volume).toMatchObject(buildVolume({ image, secret: 'keys' }))
        })

        test('the certificate is renewed at half of its life, and no pod is refused meanwhile', async () => {
          const [one, other] = injectors as [TestInjector, TestInjector]
          const before = await certificate()
          nowMs = Date.now()
          await one.check()
          expect(await certificate()).not.toBe(before)
          expect(await authorities()).toBe(2)
          expect(await shownBy(one)).toBe(before)
          expect(hasGate((await create(podOf('meanwhile'), '?dryRun=All')).body)).toBe(true)
          await other.check()
          await other.check()
          expect(await shownBy(other)).toBe(await certificate())
          // The API server keeps its connection to the one replica; to the other one it has to begin with a handshake.
          await leadTo(other)
          await one.stop()
          await untilGated()
        })

        test('an authority that somebody takes away is put back', async () => {
          await patchWebhook('/webhooks/0/clientConfig/caBundle', '')
          await injectors[1]?.check()
          await untilGated()
        })

        test('the command of the chart starts an injector that gets ready', async () => {
          const { body } = await cluster.ask('GET', '/apis/apps/v1/namespaces/gates/deployments/sidegate-injector')
          const [container] = treesAt(body, 'spec', 'template', 'spec', 'containers')
          const given = listAt(container, 'args').map(String)
          expect(given).toContain('--listen=[::]:8443')
          const others = given.filter((text) => !/^--(listen|defaults)=/.test(text))
          const accountFolder = await cluster.accountFolder('gates', 'sidegate-injector')
          const here = ['--listen', '127.0.0.1:0', '--api-server', cluster.server, '--account-folder', accountFolder]
          const started = await startProcess([...others, ...here], {}, 'The injector is running')
          await vi.waitFor(() => expect(started.output()).toContain('Serving a new certificate'), 20_000)
          expect(await shownBy(started)).toBe(await certificate())
          started.child.kill('SIGTERM')
          expect(await started.exited).toBe(0)
        })

        test('an upgrade keeps the certificate', async () => {
          const before = await certificate()
          const bundle = await caBundle()
          await patchWebhook('/webhooks/0/clientConfig/service/port', 443)
          helm('upgrade', 'sidegate', chart, '--values', valuesFile('webhook'), '--set', 'settings.mode=shadow')
          expect(await certificate()).toBe(before)
          expect(await caBundle()).toBe(bundle)
        })

        test('the rights of the injector end at its Secret and its configuration', async () => {
          const token = await cluster.mintToken('gates', 'sidegate-injector')
          const statusOf = async (method: string, path: string) => (await cluster.ask(method, path, { token })).status
          expect(await statusOf('GET', SECRET)).toBe(200)
          expect(await statusOf('GET', '/api/v1/namespaces/gates/secrets')).toBe(403)
          expect(await statusOf('GET', '/api/v1/namespaces/shop/pods')).toBe(403)
          expect(await statusOf('GET', `${ADMISSION}/mutatingwebhookconfigurations`)).toBe(403)
          expect(await statusOf('DELETE', CONFIGURATION)).toBe(403)
        })

        test('taken away it leaves nothing, and pods are let in as they are', async () => {
          helm('uninstall', 'sidegate')
          expect(await leftovers()).toEqual([])
          await vi.waitFor(async () => expect((await create(podOf('after'), '?dryRun=All')).status).toBe(201), 10_000)
        })
      })
    })
  }
})
