// Every way in which a pod gets the gate, as the container and the volume that come out of it. All are held against
// buildSidecar by test/kubernetes/injection/one-sidecar.test.ts; a new way adds its row there.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { listAt, type Tree, treesAt } from '../../src/kubernetes/manifests/nested-values.ts'

const root = join(import.meta.dirname, '..', '..')

/** What a pod spec has of the gate. */
export interface WrittenGate {
  readonly container: unknown
  readonly volume: unknown
  /** The place among the init containers. */
  readonly place: number
}

/** The gate in a pod spec. */
export function gateIn(podSpec: unknown): WrittenGate {
  const isOurs = (item: Tree) => item.name === 'sidegate'
  const containers = treesAt(podSpec, 'initContainers')
  return {
    container: containers.find(isOurs),
    volume: treesAt(podSpec, 'volumes').find(isOurs),
    place: containers.findIndex(isOurs),
  }
}

/** A file of the repository as text. */
export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** The pod spec of the first workload in a text with manifests. */
export function podSpecIn(text: string): unknown {
  for (const document of parseAllDocuments(text)) {
    const { spec } = document.toJS() as { spec?: { template?: { spec?: unknown } } }
    if (spec?.template?.spec !== undefined) return spec.template.spec
  }
  throw new Error('There is no workload')
}

/** The pod spec with a strategic merge patch of two lists by name, new items first: as kustomize merges them. */
export function patched(podSpec: Tree, patch: unknown): Tree {
  const merged = (list: string) => {
    const added = treesAt(patch, list)
    const names = new Set(added.map(({ name }) => name))
    return [...added, ...listAt(podSpec, list).filter((item) => !names.has((item as Tree).name))]
  }
  return { ...podSpec, initContainers: merged('initContainers'), volumes: merged('volumes') }
}
