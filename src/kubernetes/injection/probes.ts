// How does the kubelet ask an app that listens on 127.0.0.1 alone? Through the gate: each probe of the app's port is turned
// to the admin port, and the address that it had becomes a setting of the gate. Timings stay with the probe.
import { type AppProbes, appProbePath, type ProbeKind, type ProbeTarget, probeKinds } from '../../model/app-probe.ts'
import { isTree, type Remark, type Tree, textAt, treeAt, treesAt, valueAt } from '../manifests/nested-values.ts'
import type { Upstream } from './annotations.ts'
import { tcpPorts } from './pod-settings.ts'

export interface RewrittenProbes {
  /** The containers, those without a probe of the app's port as they were. */
  readonly containers: readonly unknown[]
  readonly targets: AppProbes
  /** One for each probe that was turned. */
  readonly changes: readonly Remark[]
  readonly warnings: readonly Remark[]
}

export interface ProbePlan {
  readonly upstream: Upstream
  readonly adminPort: number
  /** False: probes are left as they are, and those that will fail are warned about. */
  readonly isRewriting: boolean
  /** The targets that a gate in the pod has already: probes that were turned before keep theirs. */
  readonly present: AppProbes
  /** The containers that are not the app's. */
  readonly exempt: string
}

/** Turns the probes of all containers. Containers and probes of any other shape are passed on as they are. */
export function rewriteProbes(containers: readonly unknown[], plan: ProbePlan): RewrittenProbes {
  const targets: Record<string, Partial<Record<ProbeKind, ProbeTarget>>> = {}
  const changes: Remark[] = []
  const warnings: Remark[] = []
  const rewritten = containers.map((container, index) => {
    const name = textAt(container, 'name')
    if (!isTree(container) || name === undefined || name === plan.exempt) return container
    let changed: Tree = container
    for (const kind of probeKinds) {
      const member = `${kind}Probe`
      const probe = container[member]
      if (!isTree(probe)) continue
      const path = `spec.containers[${index}].${member}`
      const turned = turn(probe, { container, name, kind }, plan)
      if ('warning' in turned) warnings.push({ path, message: turned.warning })
      if (!('target' in turned)) continue
      targets[name] = { ...targets[name], [kind]: turned.target }
      changed = { ...changed, [member]: turned.probe }
      if (turned.isNew)
        changes.push({
          path,
          message: 'Ask through the gate, as the kubelet cannot reach an app that listens on 127.0.0.1',
        })
    }
    return changed
  })
  return { containers: rewritten, targets, changes, warnings }
}

interface Place {
  readonly container: Tree
  readonly name: string
  readonly kind: ProbeKind
}

type Turned =
  | { readonly probe: Tree; readonly target: ProbeTarget; readonly isNew: boolean }
  | { readonly warning: string }
  | Record<never, never>

function turn(probe: Tree, place: Place, plan: ProbePlan): Turned {
  const path = appProbePath(place.name, place.kind)
  if (textAt(probe, 'httpGet', 'path') === path) return keepTurned(probe, path, place, plan)
  const target = targetOf(probe, place.container, plan.upstream)
  if (target === undefined) return grpcWarning(probe, place, plan)
  if (!plan.isRewriting)
    return { warning: `The kubelet cannot reach port ${plan.upstream.port} once the app listens on 127.0.0.1 alone` }
  return { probe: throughGate(probe, path, plan.adminPort), target, isNew: true }
}

/** A probe that was turned before keeps its target, at the place where the app listens now. */
function keepTurned(probe: Tree, path: string, { name, kind }: Place, plan: ProbePlan): Turned {
  const present = plan.present[name]?.[kind]
  if (present === undefined)
    return { warning: 'The probe asks the gate; what the gate asks then has to stand in its setting "admin.appProbes"' }
  const turned = throughGate(probe, path, plan.adminPort)
  return {
    probe: turned,
    target: atUpstream(present, plan.upstream),
    isNew: valueAt(probe, 'httpGet', 'port') !== plan.adminPort,
  }
}

/** The probe with another question; period, time-out and thresholds are its own. */
function throughGate(probe: Tree, path: string, port: number): Tree {
  const { tcpSocket: _tcpSocket, ...rest } = probe
  return { ...rest, httpGet: { path, port } }
}

/** What the probe asks of the app's port, or nothing where it asks something else. */
function targetOf(probe: Tree, container: Tree, { host, port }: Upstream): ProbeTarget | undefined {
  const isApps = (given: unknown) =>
    given === port || tcpPorts(container).some(({ name, number }) => name === given && number === port)
  const { httpGet, tcpSocket } = probe
  if (isTree(tcpSocket) && tcpSocket.host === undefined && isApps(tcpSocket.port)) return `tcp://${host}:${port}`
  if (!isTree(httpGet) || httpGet.host !== undefined || !isApps(httpGet.port)) return undefined
  const scheme = (textAt(httpGet, 'scheme') ?? 'HTTP').toLowerCase()
  const url = URL.parse(`${scheme}://${host}:${port}${rooted(textAt(httpGet, 'path') ?? '/')}`)
  if (url === null) return undefined
  const headers = treesAt(httpGet, 'httpHeaders').flatMap(({ name, value }) =>
    typeof name === 'string' && typeof value === 'string' ? [[name.toLowerCase(), value] as const] : [],
  )
  return headers.length === 0 ? url.href : { url: url.href, headers: Object.fromEntries(headers) }
}

function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}

function atUpstream(target: ProbeTarget, { host, port }: Upstream): ProbeTarget {
  const moved = (url: string) => url.replace(/^([a-z]+):\/\/[^/]*/, `$1://${host}:${port}`)
  return typeof target === 'string' ? moved(target) : { ...target, url: moved(target.url) }
}

function grpcWarning(probe: Tree, { container }: Place, { upstream }: ProbePlan): Turned {
  const isGrpc = treeAt(probe, 'grpc').port === upstream.port
  const isDeclared = tcpPorts(container).length > 0
  if (!isGrpc) return {}
  return {
    warning: `The gate cannot ask a grpc probe, and the kubelet cannot reach an app that listens on 127.0.0.1; use an exec probe${isDeclared ? '' : ' or httpGet'}`,
  }
}

/** Reads the targets from the variable of a gate; nothing where it holds anything else. */
export function readTargets(json: string | undefined): AppProbes {
  try {
    const read: unknown = JSON.parse(json ?? '{}')
    return isTree(read) && Object.values(read).every(isTree) ? (read as AppProbes) : {}
  } catch {
    return {}
  }
}
