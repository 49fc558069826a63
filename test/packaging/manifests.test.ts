import { readdirSync, readFileSync } from 'node:fs'
import { join, matchesGlob } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { isPatchedRuntime } from '../../src/runtime/node-version.ts'
import { configOf } from '../support/settings.ts'

const root = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

interface Container {
  readonly name: string
  readonly [member: string]: unknown
}
interface PodSpec {
  readonly automountServiceAccountToken: boolean
  readonly securityContext?: object
  readonly initContainers?: readonly Container[]
  readonly containers?: readonly Container[]
  readonly volumes?: readonly object[]
}
interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly spec: { readonly template: { readonly spec: PodSpec }; readonly ports: readonly { targetPort: unknown }[] }
}

const snippet = parse(read('deploy/sidecar.yaml')) as PodSpec
const example = readdirSync(join(root, 'deploy/example'))
  .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
  .flatMap((name) => documents(read(`deploy/example/${name}`)))

function documents(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS() as Manifest
  })
}

function find(kind: string, name: string): Manifest {
  const found = example.find((manifest) => manifest.kind === kind && manifest.metadata.name === name)
  if (found === undefined) throw new Error(`No ${kind} "${name}"`)
  return found
}

describe('the pod-spec snippet', () => {
  const [sidecar] = snippet.initContainers ?? []

  // holds: order-in-which-pod-stops
  test('is a native sidecar, which starts before the app and stops after it', () => {
    expect(sidecar?.restartPolicy).toBe('Always')
    expect(sidecar?.startupProbe).toMatchObject({ httpGet: { path: '/livez', port: 9090 } })
    expect(sidecar?.readinessProbe).toMatchObject({ httpGet: { path: '/readyz', port: 9090 } })
    expect(sidecar?.livenessProbe).toMatchObject({ httpGet: { path: '/livez', port: 9090 } })
  })

  test('names its ports by number alone, for Kubernetes before 1.32', () => {
    expect(sidecar?.ports).toEqual([
      { containerPort: 8080, protocol: 'TCP' },
      { containerPort: 9090, protocol: 'TCP' },
    ])
  })

  // holds: little-memory
  test('has no service account token, no writable volume and bounded memory', () => {
    expect(snippet.automountServiceAccountToken).toBe(false)
    expect(sidecar?.volumeMounts).toEqual([{ name: 'sidegate', mountPath: '/etc/sidegate', readOnly: true }])
    expect(sidecar?.resources).toMatchObject({ requests: { memory: '128Mi' }, limits: { memory: '256Mi' } })
  })
})

describe('the example', () => {
  test('holds settings that load, with a list in Redis and the refresh on', () => {
    const config = configOf(find('ConfigMap', 'sidegate').data?.['sidegate.yaml'] ?? '')
    expect(config.revocation.redis).toContain('//sidegate-redis:6379')
    expect(find('Service', 'sidegate-redis').spec.ports[0]).toMatchObject({ port: 6379 })
    expect(config.refresh?.key?.algorithm).toBe('EdDSA')
  })

  test('sends the Service to the port on which the gate listens, by number', () => {
    const config = configOf(find('ConfigMap', 'sidegate').data?.['sidegate.yaml'] ?? '')
    expect(find('Service', 'orders').spec.ports.map(({ targetPort }) => targetPort)).toEqual([config.listen.port])
  })

  test('lets the app listen where the gate forwards to, and nowhere else', () => {
    const config = configOf(find('ConfigMap', 'sidegate').data?.['sidegate.yaml'] ?? '')
    const [app] = find('Deployment', 'orders').spec.template.spec.containers ?? []
    expect(app?.args).toContain(`-listen=${new URL(config.upstream).host}`)
    expect(new URL(config.upstream).hostname).toBe('127.0.0.1')
  })

  // holds: order-in-which-pod-stops
  test('gives the pod longer to stop than draining may take', () => {
    const config = configOf(find('ConfigMap', 'sidegate').data?.['sidegate.yaml'] ?? '')
    const pod = find('Deployment', 'orders').spec.template.spec as PodSpec & { terminationGracePeriodSeconds: number }
    const [app] = pod.containers as unknown as [{ lifecycle: { preStop: { sleep: { seconds: number } } } }]
    const seconds = config.limits.drainTimeout / 1000 + app.lifecycle.preStop.sleep.seconds
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(seconds)
  })

  test('keeps a Redis that never evicts a rule and writes it down before it answers', () => {
    const [redis] = find('StatefulSet', 'sidegate-redis').spec.template.spec.containers ?? []
    const args = ((redis?.args ?? []) as string[]).join(' ')
    expect(args).toContain('--maxmemory-policy noeviction')
    expect(args).toContain('--appendonly yes --appendfsync always')
  })
})

const pods: readonly (readonly [string, PodSpec])[] = [
  ['the snippet', snippet],
  ...example
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    .map(({ metadata, spec }) => [metadata.name, spec.template.spec] as const),
]

test.each(pods)('%s passes the restricted pod security standard', (_name, pod) => {
  for (const container of [...(pod.initContainers ?? []), ...(pod.containers ?? [])]) {
    const context = { ...pod.securityContext, ...(container.securityContext as object) }
    expect(context, container.name).toMatchObject({
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    })
    expect(context, container.name).not.toMatchObject({ runAsUser: 0 })
  }
  expect(pod.automountServiceAccountToken).toBe(false)
})

describe('the image', () => {
  const lines = read('Dockerfile').split('\n')

  // holds: runtime-with-known-holes
  test('pins a Node without the header flood of CVE-2026-58044', () => {
    const [version = ''] = lines.flatMap((line) => /^ARG BUILD=node:([\d.]+)-/.exec(line)?.[1] ?? [])
    expect(isPatchedRuntime(version), version).toBe(true)
    expect(lines).toContain('COPY --from=node /usr/local/bin/node /sidegate/node')
  })

  // holds: read-only-without-root
  test('runs as the user that the pod spec names, without a shell', () => {
    expect(lines).toContain('USER 65532:65532')
    expect(lines).toContain('EXPOSE 8080 9090')
    expect(lines.find((line) => line.startsWith('ENTRYPOINT'))).toMatch(/^ENTRYPOINT \["\/sidegate\/node", /)
  })

  test('is built from files that exist and that .dockerignore lets through', () => {
    const ignore = read('.dockerignore').split('\n')
    const copied = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
      .flatMap((line) => line.split(' ').slice(1, -1))
    expect(copied.length).toBeGreaterThan(3)
    for (const path of copied) {
      expect(ignore).toContain(`!${path}`)
      const names = readdirSync(join(root, path, '..'))
      expect(names.filter((name) => matchesGlob(name, path.split('/').at(-1) ?? '')).length, path).toBeGreaterThan(0)
    }
  })
})
