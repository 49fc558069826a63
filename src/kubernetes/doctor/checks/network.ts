// Is there a way to the app that does not lead through the gate?
import { selects, serviceDetours } from '../../injection/pod-dangers.ts'
import { tcpPorts } from '../../injection/pod-settings.ts'
import { listAt, type Tree, textAt, treesAt, valueAt } from '../../manifests/nested-values.ts'
import { nameOf, shareNamespace } from '../../manifests/workloads.ts'
import { appsOf, eachGuarded, type GuardedWorkload, ofKind, type Rule, type Survey, type Trouble } from '../survey.ts'

/** Ways around the gate. */
export const aroundRules: readonly Rule[] = [
  { name: 'service-around-gate', severity: 'error', find: eachGuarded(servicesToApp) },
  { name: 'service-named-port', severity: 'warning', find: eachGuarded(servicesByName) },
  { name: 'app-listens-for-all', severity: 'error', find: eachGuarded(appsForAll) },
  { name: 'app-port-declared', severity: 'warning', find: eachGuarded(declaredPorts) },
  { name: 'app-host-port', severity: 'error', find: eachGuarded(hostPorts) },
  { name: 'host-network', severity: 'error', find: eachGuarded(hostNetwork) },
  { name: 'shared-processes', severity: 'warning', find: eachGuarded(sharedProcesses) },
  { name: 'network-policy-missing', severity: 'warning', find: eachGuarded(missingPolicy) },
]

/** The Services that send to pods of a workload. */
export function servicesOf({ object, template }: GuardedWorkload, survey: Survey) {
  return ofKind(survey, 'Service').filter(
    (service) => shareNamespace(service.value, object.value) && selects(service.value, template),
  )
}

function* servicesToApp(workload: GuardedWorkload, survey: Survey): Generator<Trouble> {
  const { upstream, template, listenPort } = workload
  if (upstream === undefined) return
  for (const service of servicesOf(workload, survey))
    for (const { index, targetPort } of serviceDetours(service.value, template, upstream))
      yield {
        object: service,
        path: `spec.ports[${index}].targetPort`,
        message: `It sends to port ${JSON.stringify(targetPort)} of ${nameOf(workload.object.value)}, which is the app`,
        mend: `Set targetPort to ${listenPort}, the port of the gate`,
      }
}

function* servicesByName(workload: GuardedWorkload, survey: Survey): Generator<Trouble> {
  if (workload.gate?.isInit !== true) return
  const names = tcpPorts(workload.gate.container).flatMap(({ name }) => name ?? [])
  for (const service of servicesOf(workload, survey))
    for (const [index, { targetPort }] of treesAt(service.value, 'spec', 'ports').entries())
      if (typeof targetPort === 'string' && names.includes(targetPort))
        yield {
          object: service,
          path: `spec.ports[${index}].targetPort`,
          message: `Before Kubernetes 1.32 a Service does not find the port ${JSON.stringify(targetPort)} of a native sidecar`,
          mend: `Set targetPort to the number, ${workload.listenPort}`,
        }
}

/** What the author wrote about where the app listens: in the words that start it, and in its variables. */
function wordsOf(container: Tree): readonly string[] {
  const variables = treesAt(container, 'env').map(({ value }) => value)
  return [...listAt(container, 'command'), ...listAt(container, 'args'), ...variables].filter(
    (word) => typeof word === 'string',
  )
}

const LOOPBACK = /127\.0\.0\.1|localhost|\[?::1\b/
const EVERYWHERE = /(?<![\d.])0\.0\.0\.0(?![\d.])|\[::\]/

function* appsForAll(workload: GuardedWorkload): Generator<Trouble> {
  for (const { container, path } of appsOf(workload))
    if (wordsOf(container).some((word) => EVERYWHERE.test(word)))
      yield {
        object: workload.object,
        path,
        message: 'The app is told to listen on every address of the pod, so it answers without the gate too',
        mend: 'Let it listen on 127.0.0.1',
      }
}

function* declaredPorts(workload: GuardedWorkload): Generator<Trouble> {
  const { upstream } = workload
  for (const { container, path } of appsOf(workload)) {
    if (wordsOf(container).some((word) => LOOPBACK.test(word) || EVERYWHERE.test(word))) continue
    for (const [index, port] of treesAt(container, 'ports').entries())
      if (upstream !== undefined && port.containerPort === upstream.port)
        yield {
          object: workload.object,
          path: `${path}.ports[${index}]`,
          message: `The app declares port ${upstream.port}, and nothing says that it listens on ${upstream.host} alone`,
          mend: `Let it listen on ${upstream.host} and remove the port here; sidegate_app_port_exposed tells whether it does`,
        }
  }
}

function* hostPorts(workload: GuardedWorkload): Generator<Trouble> {
  for (const { container, path } of appsOf(workload))
    for (const [index, port] of treesAt(container, 'ports').entries())
      if (port.hostPort !== undefined && port.containerPort === workload.upstream?.port)
        yield {
          object: workload.object,
          path: `${path}.ports[${index}].hostPort`,
          message: 'The node hands one of its own ports to the app, around the gate',
          mend: `Remove hostPort, or give it to port ${workload.listenPort} of the gate`,
        }
}

function* hostNetwork({ object, prefix, template }: GuardedWorkload): Generator<Trouble> {
  if (valueAt(template, 'spec', 'hostNetwork') !== true) return
  yield {
    object,
    path: `${prefix}spec.hostNetwork`,
    message: "The pod has the network of its node: every process of the node reaches the app's 127.0.0.1",
    mend: 'Remove hostNetwork',
  }
}

function* sharedProcesses({ object, prefix, template }: GuardedWorkload): Generator<Trouble> {
  if (valueAt(template, 'spec', 'shareProcessNamespace') !== true) return
  yield {
    object,
    path: `${prefix}spec.shareProcessNamespace`,
    message: "The containers see each other's processes: the app may read the settings and keys of the gate",
    mend: 'Remove shareProcessNamespace',
  }
}

function* missingPolicy({ object, prefix, template }: GuardedWorkload, survey: Survey): Generator<Trouble> {
  const labels = valueAt(template, 'metadata', 'labels')
  const isCovered = ofKind(survey, 'NetworkPolicy').some(
    ({ value }) => shareNamespace(value, object.value) && covers(value, labels),
  )
  if (isCovered) return
  yield {
    object,
    path: `${prefix}metadata.labels`,
    message: 'No NetworkPolicy among these manifests says who may reach which port of the pod',
    mend: 'Add one that lets clients to the port of the gate and monitoring to the admin port, as deploy/example does',
  }
}

/** True where the policy speaks about incoming traffic of pods with these labels. Expressions are taken to match. */
function covers(policy: Tree, labels: unknown): boolean {
  const types = listAt(policy, 'spec', 'policyTypes')
  if (types.length > 0 && !types.includes('Ingress')) return false
  const wanted = valueAt(policy, 'spec', 'podSelector', 'matchLabels')
  return Object.entries((wanted ?? {}) as Tree).every(([label, value]) => textAt(labels, label) === value)
}
