// Can strangers reach the admin port, with its metrics and the revocation API?
import { whyUnusable } from '../../../model/admin-token.ts'
import { isTree, listAt, type Tree, textAt, treesAt, valueAt } from '../../manifests/nested-values.ts'
import { nameOf, shareNamespace } from '../../manifests/workloads.ts'
import { secretText } from '../secret-values.ts'
import {
  eachGuarded,
  type GuardedWorkload,
  ofKind,
  type PlacedObject,
  type Rule,
  type Survey,
  type Trouble,
} from '../survey.ts'
import { servicesOf } from './network.ts'

/** Ways to the admin port. */
export const adminRules: readonly Rule[] = [
  { name: 'admin-port-public', severity: 'error', find: eachGuarded(publicServices) },
  { name: 'admin-port-in-service', severity: 'warning', find: eachGuarded(innerServices) },
  { name: 'admin-port-in-route', severity: 'error', find: eachGuarded(routes) },
  { name: 'admin-host-port', severity: 'error', find: eachGuarded(hostPorts) },
  { name: 'admin-token-unusable', severity: 'warning', find: eachGuarded(unusableToken) },
]

/** The ports of Services that lead to the admin port. */
function adminPorts(workload: GuardedWorkload, survey: Survey) {
  return servicesOf(workload, survey).flatMap((service) =>
    treesAt(service.value, 'spec', 'ports').flatMap((port, index) =>
      (port.targetPort ?? port.port) === workload.adminPort ? [{ service, port, index }] : [],
    ),
  )
}

function isPublic({ value }: PlacedObject): boolean {
  return ['LoadBalancer', 'NodePort'].includes(textAt(value, 'spec', 'type') ?? '')
}

function* publicServices(workload: GuardedWorkload, survey: Survey): Generator<Trouble> {
  for (const { service, index } of adminPorts(workload, survey).filter((found) => isPublic(found.service)))
    yield {
      object: service,
      path: `spec.ports[${index}]`,
      message: `It hands the admin port ${workload.adminPort} to the world outside the cluster`,
      mend: 'Remove this port; monitoring reaches the pods themselves by a PodMonitor',
    }
}

function* innerServices(workload: GuardedWorkload, survey: Survey): Generator<Trouble> {
  for (const { service, index } of adminPorts(workload, survey).filter((found) => !isPublic(found.service)))
    yield {
      object: service,
      path: `spec.ports[${index}]`,
      message: `Everybody in the cluster reaches the admin port ${workload.adminPort} by this name`,
      mend: 'Scrape the pods themselves by a PodMonitor, or let a NetworkPolicy admit monitoring alone',
    }
}

function* routes(workload: GuardedWorkload, survey: Survey): Generator<Trouble> {
  const ports = adminPorts(workload, survey)
  for (const route of ofKind(survey, 'Ingress', 'HTTPRoute'))
    for (const { name, port } of backendsIn(route.value)) {
      const isAdmin = ports.some(
        (found) =>
          textAt(found.service.value, 'metadata', 'name') === name &&
          shareNamespace(found.service.value, route.value) &&
          (found.port.port === port || (found.port.name !== undefined && found.port.name === port)),
      )
      if (isAdmin)
        yield {
          object: route,
          path: 'spec',
          message: `It leads to the admin port of ${nameOf(workload.object.value)}, by Service/${name}`,
          mend: 'Remove this backend',
        }
    }
}

interface Backend {
  readonly name: string
  readonly port: unknown
}

/** Every backend in an Ingress or HTTPRoute, wherever it stands. */
function backendsIn(part: unknown): readonly Backend[] {
  if (Array.isArray(part)) return part.flatMap(backendsIn)
  if (!isTree(part)) return []
  const name = textAt(part, 'service', 'name')
  const ofIngress =
    name === undefined
      ? []
      : [{ name, port: valueAt(part, 'service', 'port', 'number') ?? valueAt(part, 'service', 'port', 'name') }]
  const ofRoute = listAt(part, 'backendRefs').flatMap((reference) => {
    const target = textAt(reference, 'name')
    return target === undefined ? [] : [{ name: target, port: valueAt(reference, 'port') }]
  })
  return [...ofIngress, ...ofRoute, ...Object.values(part as Tree).flatMap(backendsIn)]
}

function* hostPorts({ object, prefix, gate, adminPort }: GuardedWorkload): Generator<Trouble> {
  for (const [index, port] of treesAt(gate?.container, 'ports').entries())
    if (port.containerPort === adminPort && port.hostPort !== undefined)
      yield {
        object,
        path: `${prefix}${gate?.path}.ports[${index}].hostPort`,
        message: 'The node hands one of its own ports to the admin port',
        mend: 'Remove hostPort',
      }
}

/** Where the Secret is among the manifests. */
function* unusableToken(workload: GuardedWorkload, { objects }: Survey): Generator<Trouble> {
  const file = workload.settings?.adminTokenFile
  const token = file === undefined ? undefined : secretText(objects, workload.object, file)
  const why = token === undefined ? undefined : whyUnusable(token)
  if (why === undefined) return
  yield {
    object: workload.object,
    path: `${workload.prefix}${workload.gate?.path ?? 'spec.initContainers'} (admin.tokenFile)`,
    message: `The admin token opens nothing, and the routes that need it answer 404: ${why}`,
    mend: 'Put a longer one into the Secret',
  }
}
