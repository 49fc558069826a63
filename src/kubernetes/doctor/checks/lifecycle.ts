// Will the pod start, stay and stop as it should? Probes that can be answered, and time to let open requests finish.
import { probeKinds } from '../../../model/app-probe.ts'
import { tcpPorts } from '../../injection/pod-settings.ts'
import { type Tree, textAt, treesAt, valueAt } from '../../manifests/nested-values.ts'
import { appsOf, eachGuarded, type GuardedWorkload, type Rule, type Trouble } from '../survey.ts'

const DEFAULT_GRACE_SECONDS = 30
const DEFAULT_DRAIN_SECONDS = 25

/** What can be wrong with the life of a pod. */
export const lifeRules: readonly Rule[] = [
  { name: 'probe-fails', severity: 'error', find: eachGuarded(failingProbes) },
  { name: 'probe-unknown', severity: 'error', find: eachGuarded(unknownProbes) },
  { name: 'port-mismatch', severity: 'error', find: eachGuarded(otherPorts) },
  { name: 'grace-too-short', severity: 'error', find: eachGuarded(shortGrace) },
  { name: 'grace-tight', severity: 'warning', find: eachGuarded(tightGrace) },
]

function* probesOf(workload: GuardedWorkload) {
  for (const { container, path } of appsOf(workload))
    for (const kind of probeKinds) {
      const probe = valueAt(container, `${kind}Probe`)
      if (probe !== undefined) yield { container, kind, probe, path: `${path}.${kind}Probe` }
    }
}

function* failingProbes(workload: GuardedWorkload): Generator<Trouble> {
  const { upstream, gate } = workload
  // Where the gate is still to come, the injector turns these probes.
  if (upstream === undefined || gate === undefined) return
  for (const { container, probe, path } of probesOf(workload))
    for (const form of ['httpGet', 'tcpSocket', 'grpc']) {
      const port = valueAt(probe, form, 'port')
      const isApps = port === upstream.port || portNamed(container, port) === upstream.port
      if (isApps && valueAt(probe, form, 'host') === undefined)
        yield {
          object: workload.object,
          path: `${path}.${form}`,
          message: `The kubelet cannot reach port ${upstream.port} of an app that listens on ${upstream.host} alone`,
          mend:
            form === 'grpc'
              ? 'Use an exec probe'
              : 'Run "sidegate inject" on this manifest: it lets the gate ask in the kubelet\'s place',
        }
    }
}

function portNamed(container: Tree, name: unknown): number | undefined {
  return tcpPorts(container).find((port) => port.name !== undefined && port.name === name)?.number
}

function* unknownProbes(workload: GuardedWorkload): Generator<Trouble> {
  const { settings, adminPort, object } = workload
  if (settings === undefined) return
  for (const { probe, path } of probesOf(workload)) {
    const asked = /^\/app-probe\/(.+)$/.exec(textAt(probe, 'httpGet', 'path') ?? '')?.[1]
    if (asked === undefined) continue
    const [port, isKnown] = [valueAt(probe, 'httpGet', 'port'), settings.appProbes.includes(asked)]
    if (port === adminPort && isKnown) continue
    yield {
      object,
      path: `${path}.httpGet`,
      message: isKnown
        ? `The admin port is ${adminPort}, and this asks port ${JSON.stringify(port)}`
        : `The settings of the gate have no "admin.appProbes" for ${JSON.stringify(asked)}, so it answers 404`,
      mend: 'Write the probe of the app and run "sidegate inject" on this manifest',
    }
  }
}

/** The ports that the container declares say nothing to the gate; where they differ, one of the two is wrong. */
function* otherPorts({ object, prefix, gate, settings, listenPort, adminPort }: GuardedWorkload): Generator<Trouble> {
  if (gate === undefined || settings === undefined) return
  const declared = tcpPorts(gate.container).map(({ number }) => number)
  if (declared.length === 0) return
  for (const [name, port] of [
    ['listen', listenPort],
    ['admin.listen', adminPort],
  ] as const)
    if (!declared.includes(port))
      yield {
        object,
        path: `${prefix}${gate.path}.ports`,
        message: `The setting "${name}" says port ${port}, the container declares ${declared.join(' and ')}`,
        mend: 'Make them the same, in the Service and in the probes as well',
      }
}

interface Stopping {
  readonly graceSeconds: number
  readonly drainSeconds: number
  readonly waitSeconds: number
}

function stoppingOf({ template, settings }: GuardedWorkload): Stopping {
  const grace = valueAt(template, 'spec', 'terminationGracePeriodSeconds')
  const waits = treesAt(template, 'spec', 'containers').map((container) => waitOf(container))
  return {
    graceSeconds: typeof grace === 'number' ? grace : DEFAULT_GRACE_SECONDS,
    drainSeconds: settings?.drainTimeoutSeconds ?? DEFAULT_DRAIN_SECONDS,
    waitSeconds: Math.max(0, ...waits),
  }
}

/** How long a container waits before it stops, as far as its manifest says. */
function waitOf(container: Tree): number {
  const seconds = valueAt(container, 'lifecycle', 'preStop', 'sleep', 'seconds')
  return typeof seconds === 'number' ? seconds : 0
}

function* shortGrace(workload: GuardedWorkload): Generator<Trouble> {
  const { graceSeconds, drainSeconds } = stoppingOf(workload)
  if (graceSeconds >= drainSeconds) return
  yield {
    object: workload.object,
    path: `${workload.prefix}spec.terminationGracePeriodSeconds`,
    message: `After ${graceSeconds} s the pod is killed, while the gate lets open requests go on for ${drainSeconds} s`,
    mend: `Set it to more than ${drainSeconds}, or "limits.drainTimeout" to less`,
  }
}

function* tightGrace(workload: GuardedWorkload): Generator<Trouble> {
  const { graceSeconds, drainSeconds, waitSeconds } = stoppingOf(workload)
  if (graceSeconds < drainSeconds || graceSeconds > drainSeconds + waitSeconds || waitSeconds === 0) return
  yield {
    object: workload.object,
    path: `${workload.prefix}spec.terminationGracePeriodSeconds`,
    message: `The app waits for ${waitSeconds} s and the gate drains for ${drainSeconds} s after it, but the pod is killed after ${graceSeconds} s`,
    mend: `Set it to more than ${drainSeconds + waitSeconds}`,
  }
}
