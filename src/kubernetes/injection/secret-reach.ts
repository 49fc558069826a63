// Ways for the app's containers to read what belongs to the gate alone: its volume with settings and keys, and its Secret. Who
// reads the signing key there can make tokens that every gate of the fleet admits.

import { type Remark, type Tree, textAt, treesAt } from '../manifests/nested-values.ts'
import { SIDECAR_NAME } from './sidecar.ts'

const LISTS = ['initContainers', 'containers', 'ephemeralContainers'] as const

/**
 * Where a container of the app mounts the gate's volume, or reads a Secret of the gate by a volume or a variable. The Secrets
 * are the given one and those in the gate's volume.
 */
export function* secretReach(template: Tree, given: string | undefined): Generator<Remark> {
  const secrets = secretsOfGate(template, given)
  const volumes = volumesOf(template, secrets)
  for (const list of LISTS)
    for (const [index, container] of treesAt(template, 'spec', list).entries()) {
      if (container.name === SIDECAR_NAME) continue
      const at = `spec.${list}[${index}]`
      for (const [mount, { name }] of treesAt(container, 'volumeMounts').entries())
        if (volumes.has(name))
          yield { path: `${at}.volumeMounts[${mount}]`, message: sentenceFor(`mounts the volume "${String(name)}"`) }
      yield* variablesFrom(container, secrets, at)
    }
}

function sentenceFor(way: string): string {
  return `The app ${way}, which holds the keys of the gate: it could sign tokens for the whole fleet`
}

function secretsOfGate(template: Tree, given: string | undefined): ReadonlySet<string> {
  const own = treesAt(template, 'spec', 'volumes').filter(({ name }) => name === SIDECAR_NAME)
  return new Set([...(given === undefined ? [] : [given]), ...own.flatMap(secretsIn)])
}

/** The volume that the gate mounts, and every other one with one of its Secrets. */
function volumesOf(template: Tree, secrets: ReadonlySet<string>): ReadonlySet<unknown> {
  const sharing = treesAt(template, 'spec', 'volumes').filter((volume) =>
    secretsIn(volume).some((name) => secrets.has(name)),
  )
  return new Set<unknown>([SIDECAR_NAME, ...sharing.map(({ name }) => name)])
}

function secretsIn(volume: Tree): readonly string[] {
  const direct = textAt(volume, 'secret', 'secretName') ?? []
  return [direct, treesAt(volume, 'projected', 'sources').map((source) => textAt(source, 'secret', 'name') ?? [])].flat(
    2,
  )
}

function* variablesFrom(container: Tree, secrets: ReadonlySet<string>, at: string): Generator<Remark> {
  for (const [index, item] of treesAt(container, 'env').entries())
    yield* readsOf(textAt(item, 'valueFrom', 'secretKeyRef', 'name'), secrets, `${at}.env[${index}]`)
  for (const [index, item] of treesAt(container, 'envFrom').entries())
    yield* readsOf(textAt(item, 'secretRef', 'name'), secrets, `${at}.envFrom[${index}]`)
}

function* readsOf(name: string | undefined, secrets: ReadonlySet<string>, path: string): Generator<Remark> {
  if (name !== undefined && secrets.has(name)) yield { path, message: sentenceFor(`reads the Secret "${name}"`) }
}
