// How does the mutating policy say what buildSidecar makes? By calling it with placeholders, and writing in CEL what came out.
import { buildSidecar, buildVolume } from '../../src/kubernetes/injection/sidecar.ts'
import { toCel, type Unknowns } from './cel.ts'

// What buildSidecar is given in place of what only the pod tells, and the expression that takes its place.
const placeholders = {
  image: 'IMAGE-OF-THE-POD',
  listenPort: 60_001,
  adminPort: 60_002,
  configMap: 'CONFIG-OF-THE-POD',
  secret: 'SECRET-OF-THE-POD',
  mode: 'MODE-OF-THE-POD',
  logLevel: 'LEVEL-OF-THE-POD',
  upstream: 'UPSTREAM-OF-THE-POD',
  appProbes: {},
  resources: { cpuRequest: 'CPU-OF-THE-POD', memoryRequest: 'MEMORY-OF-THE-POD', memoryLimit: 'LIMIT-OF-THE-POD' },
}
const expressions = {
  [placeholders.image]: 'variables.image',
  [placeholders.listenPort]: 'variables.listenPort',
  [placeholders.adminPort]: 'variables.adminPort',
  [placeholders.configMap]: 'variables.config',
  [placeholders.secret]: 'variables.secret',
  [placeholders.mode]: 'variables.mode',
  [placeholders.logLevel]: 'variables.logLevel',
  [placeholders.upstream]: 'variables.upstream',
  [placeholders.resources.cpuRequest]: 'variables.cpuRequest',
  [placeholders.resources.memoryRequest]: 'variables.memoryRequest',
  [placeholders.resources.memoryLimit]: 'variables.memoryLimit',
  'PROBES-OF-THE-POD': '"{" + variables.appProbes + "}"',
}
const conditions: Readonly<Record<string, string>> = {
  SIDEGATE_ADMIN_APP_PROBES: 'variables.appProbes != ""',
  SIDEGATE_ADMIN_LISTEN: 'variables.adminPort != 9090',
  SIDEGATE_LISTEN: 'variables.listenPort != 8080',
  SIDEGATE_LOG_LEVEL: 'variables.logLevel != ""',
  SIDEGATE_MODE: 'variables.mode != ""',
  SIDEGATE_UPSTREAM: 'variables.upstream != ""',
}

function condition(place: string, item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null) return undefined
  if (place.endsWith('.env') && 'name' in item) {
    const when = conditions[String(item.name)]
    if (when === undefined) throw new Error(`Cannot write the policy: nothing says when ${item.name} is set`)
    return when
  }
  return place.endsWith('.sources') && 'secret' in item ? 'variables.secret != ""' : undefined
}

const unknowns: Unknowns = { expressions, condition }

/** The container, as the policy adds it. The probes of the app are JSON in it already, so their placeholder comes after. */
export function containerExpression(): string {
  const { name, image, ...rest } = buildSidecar({
    ...placeholders,
    appProbes: { any: { startup: 'tcp://127.0.0.1:1' } },
  })
  const env = (rest.env ?? []).map((item) =>
    item.name === 'SIDEGATE_ADMIN_APP_PROBES' ? { ...item, value: 'PROBES-OF-THE-POD' } : item,
  )
  const written = toCel({ name, image, ...rest, env }, 'Object.spec.initContainers', unknowns, '    ')
  const pullPolicy = '{{- with $defaults.imagePullPolicy }}\n      imagePullPolicy: {{ . | toJson }},\n{{- end }}'
  return written.replace('image: variables.image,', `image: variables.image,\n${pullPolicy}`)
}

/** The volume, as the policy adds it. */
export function volumeExpression(): string {
  return toCel(buildVolume(placeholders), 'Object.spec.volumes', unknowns, '    ')
}
