// What in a pod defeats the gate? Ways to the app that do not lead through it, as far as a pod template or a Service can
// show them. Tells, and changes nothing.

import { type Remark, type Tree, treeAt, treesAt, valueAt } from '../manifests/nested-values.ts'
import type { Upstream } from './annotations.ts'
import { appContainers, tcpPorts } from './pod-settings.ts'
import { SIDECAR_NAME } from './sidecar.ts'

/** What in the pod template lets anybody go around the gate, or reach into it. */
export function podDangers(template: Tree, upstream: Upstream): readonly Remark[] {
  return [...specDangers(template), ...portDangers(template, upstream)]
}

function* specDangers(template: Tree): Generator<Remark> {
  if (valueAt(template, 'spec', 'hostNetwork') === true)
    yield {
      path: 'spec.hostNetwork',
      message:
        "The pod shares its node's network: every process of the node reaches the app without the gate. Remove it",
    }
  if (valueAt(template, 'spec', 'shareProcessNamespace') === true)
    yield {
      path: 'spec.shareProcessNamespace',
      message:
        "The containers see each other's processes: the app may read the settings and keys of the gate. Remove it",
    }
}

function* portDangers(template: Tree, upstream: Upstream): Generator<Remark> {
  for (const [index, container] of treesAt(template, 'spec', 'containers').entries()) {
    if (container.name === SIDECAR_NAME) continue
    for (const [at, port] of treesAt(container, 'ports').entries()) {
      const path = `spec.containers[${index}].ports[${at}]`
      if (port.containerPort !== upstream.port) continue
      if (port.hostPort !== undefined)
        yield { path, message: 'The node hands its own port to the app, around the gate. Remove hostPort' }
      yield {
        path,
        message: `The app declares port ${upstream.port}, as apps do that listen for everybody. Let it listen on ${upstream.host} alone, then remove this`,
      }
    }
  }
}

/** A port of a Service that leads to the app. */
export interface ServiceDetour {
  /** The place in `spec.ports`. */
  readonly index: number
  readonly targetPort: unknown
}

/** The ports of a Service that lead to the app and around the gate; none where it selects other pods. */
export function serviceDetours(service: Tree, template: Tree, upstream: Upstream): readonly ServiceDetour[] {
  if (!selects(service, template)) return []
  const ports = appContainers(template).flatMap(tcpPorts)
  return treesAt(service, 'spec', 'ports').flatMap((port, index) => {
    const targetPort = port.targetPort ?? port.port
    const isApps =
      targetPort === upstream.port ||
      ports.some(({ name, number }) => name !== undefined && name === targetPort && number === upstream.port)
    return isApps ? [{ index, targetPort }] : []
  })
}

/** True where the Service sends to pods of this template. An empty selector selects nothing. */
export function selects(service: Tree, template: Tree): boolean {
  const labels = treeAt(template, 'metadata', 'labels')
  const selector = Object.entries(treeAt(service, 'spec', 'selector'))
  return selector.length > 0 && selector.every(([label, value]) => labels[label] === value)
}
