// The chart as helm renders it: by each helm that is on this machine, of the variable HELM or of the PATH.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Tree } from '../../src/kubernetes/manifests/nested-values.ts'

const root = join(import.meta.dirname, '..', '..')
export const chart = join(root, 'helm', 'sidegate')

export interface Helm {
  readonly command: string
  /** `v3.22.0`. */
  readonly version: string
}

/** Each version of helm that is here, once. */
export const helms: readonly Helm[] = findHelms()

function findHelms(): readonly Helm[] {
  const found = new Map<string, Helm>()
  for (const command of [process.env.HELM ?? 'helm', 'helm3', 'helm4']) {
    const { status, stdout } = spawnSync(command, ['version', '--short'], { encoding: 'utf8' })
    const version = /^v\d+\.\d+(?:\.\d+)?/.exec(stdout ?? '')?.[0]
    if (status === 0 && version !== undefined && !found.has(version)) found.set(version, { command, version })
  }
  return [...found.values()]
}

/** A file of test/packaging/values. */
export function valuesFile(name: string): string {
  return join(root, 'test', 'packaging', 'values', `${name}.yaml`)
}

export interface Answer {
  readonly status: number | null
  /** What it printed, or what it said on standard error where it failed. */
  readonly output: string
}

/** Runs helm in the folder of the repository. */
export function runHelm(helm: Helm, ...args: string[]): Answer {
  const { status, stdout, stderr } = spawnSync(helm.command, args, { encoding: 'utf8', cwd: root })
  return { status, output: status === 0 ? stdout : `${stdout}${stderr}` }
}

/** Renders the release `sidegate` in the namespace `gates`, of Kubernetes 1.36 with the operators there. */
export function template(helm: Helm, ...args: string[]): Answer {
  const known = ['monitoring.coreos.com/v1', 'cert-manager.io/v1'].flatMap((group) => ['--api-versions', group])
  const release = ['template', 'sidegate', chart, '--namespace', 'gates', '--kube-version', '1.36.0']
  return runHelm(helm, ...release, ...known, ...args)
}

/** The objects that come out; throws what helm said where it fails. */
export function render(helm: Helm, ...args: string[]): readonly Tree[] {
  const { status, output } = template(helm, ...args)
  if (status !== 0) throw new Error(output)
  return parseAllDocuments(output).flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0]
    const object = document.toJS() as Tree | null
    return object === null ? [] : [object]
  })
}
