// What holds for every pod that does not say otherwise? A file in YAML with the members of SidecarSettings. Told are all
// problems at once; a name that is not known is one of them.
import { closestMatch } from 'leven'
import { readYaml } from '../../config/sources/yaml.ts'
import { type AnnotationName, annotationRows } from '../injection/annotations.ts'
import type { SidecarDefaults } from '../injection/pod-settings.ts'
import { isTree, type Tree } from '../manifests/nested-values.ts'

export interface ReadDefaults {
  readonly defaults: SidecarDefaults
  /** A line for each thing that is wrong; where there are some, the defaults are not to be used. */
  readonly problems: readonly string[]
}

type Check = { readonly expects: string; readonly pattern: RegExp }

const pullPolicy: Check = {
  expects: 'one of "Always", "IfNotPresent", "Never"',
  pattern: /^(Always|IfNotPresent|Never)$/,
}

const checkOf = (name: AnnotationName): Check => annotationRows[name]

/** The members, each with the check of its annotation: what a pod may say of itself may be said for all. */
const members: Readonly<Record<string, Check>> = {
  image: checkOf('image'),
  imagePullPolicy: pullPolicy,
  listenPort: checkOf('listen-port'),
  adminPort: checkOf('admin-port'),
  configMap: checkOf('config'),
  secret: checkOf('secret'),
  mode: checkOf('mode'),
  logLevel: checkOf('log-level'),
}
const resources: Readonly<Record<string, Check>> = {
  cpuRequest: checkOf('cpu-request'),
  memoryRequest: checkOf('memory-request'),
  memoryLimit: checkOf('memory-limit'),
}

/** Reads the text of the file. Never throws. */
export function readDefaults(text: string, version: string): ReadDefaults {
  const { value, troubles, positionOf } = readYaml(text)
  const problems = troubles.map(({ line, column, message }) => `${line}:${column}: ${message}`)
  const refuse = (path: readonly string[], message: string) => {
    const { line, column } = positionOf(path)
    problems.push(`${line}:${column}: ${path.join('.')}: ${message}`)
  }
  if (value !== undefined && !isTree(value))
    refuse([], 'Expected a map such as "image: registry.example.com/sidegate:1.0.0"')
  const given = isTree(value) ? value : {}
  const { resources: asked, ...rest } = given
  const shared = readMembers(rest, members, [], refuse, ['resources'])
  if (asked !== undefined && !isTree(asked)) refuse(['resources'], 'Expected a map such as "memoryLimit: 256Mi"')
  const quantities = readMembers(isTree(asked) ? asked : {}, resources, ['resources'], refuse)
  const { listenPort, adminPort, ...texts } = shared
  const defaults: SidecarDefaults = {
    ...texts,
    ...(listenPort === undefined ? {} : { listenPort: Number(listenPort) }),
    ...(adminPort === undefined ? {} : { adminPort: Number(adminPort) }),
    ...(Object.keys(quantities).length === 0 ? {} : { resources: quantities }),
    version,
  }
  return { defaults, problems }
}

function readMembers(
  given: Tree,
  known: Readonly<Record<string, Check>>,
  above: readonly string[],
  refuse: (path: readonly string[], message: string) => void,
  others: readonly string[] = [],
): Readonly<Record<string, string>> {
  const names = [...Object.keys(known), ...others]
  const values: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    const path = [...above, name]
    const check = Object.hasOwn(known, name) ? known[name] : undefined
    // An empty value is none: charts write them for what is not set.
    if (value === null || value === '') continue
    if (check === undefined) refuse(path, unknownName(name, names))
    else if (typeof value !== 'string' && typeof value !== 'number') refuse(path, `Expected ${check.expects}`)
    else if (!check.pattern.test(String(value)))
      refuse(path, `Expected ${check.expects}, got ${JSON.stringify(value).slice(0, 80)}`)
    else values[name] = String(value)
  }
  return values
}

function unknownName(name: string, names: readonly string[]): string {
  const near = closestMatch(name.slice(0, 64), names, { maxDistance: 3 })
  return near === undefined ? `Unknown name, known are: ${names.join(', ')}` : `Unknown name, did you mean "${near}"`
}
