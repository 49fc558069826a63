// What can be said about the gate on a pod? The annotations below `sidegate.dev/`, each with what it may hold. An unknown
// one is a mistake and never passed over: the pod would run with something else than its author believes.
import { closestMatch } from 'leven'
import type { Remark, Tree } from '../manifests/nested-values.ts'

const PREFIX = 'sidegate.dev/'
/** The label of pods that want the gate: "true". */
export const INJECT_LABEL = `${PREFIX}inject`
/** Put on a pod that has the gate: the version that put it there. */
export const INJECTED_ANNOTATION = `${PREFIX}injected`

const port = '(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])'
const name = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/
const quantity = /^[0-9]{1,12}(?:\.[0-9]{1,3})?(?:m|k|Ki|M|Mi|G|Gi|T|Ti)?$/
const upstream = new RegExp(`^(https?)://(localhost|127(?:\\.[0-9]{1,3}){3}|\\[::1\\]):(${port})/?$`)

interface Row {
  readonly expects: string
  /** The policy of the chart reads it as well, so nothing stands in it that RE2 does not know. */
  readonly pattern: RegExp
}

const oneOf = (...words: readonly string[]): Row => ({
  expects: `one of ${words.map((word) => `"${word}"`).join(', ')}`,
  pattern: new RegExp(`^(?:${words.join('|')})$`),
})
const onePort: Row = { expects: 'a port such as "8081"', pattern: new RegExp(`^${port}$`) }

/** Every annotation by its name below the prefix. */
export const annotationRows = {
  upstream: { expects: 'where the app listens on its own machine, such as "http://127.0.0.1:3000"', pattern: upstream },
  'listen-port': onePort,
  'admin-port': onePort,
  config: { expects: 'the name of a ConfigMap', pattern: name },
  secret: { expects: 'the name of a Secret', pattern: name },
  image: { expects: 'the name of an image', pattern: /^[\w][\w./:@-]{0,511}$/ },
  mode: oneOf('enforce', 'shadow'),
  'log-level': oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent'),
  'cpu-request': { expects: 'a quantity such as "100m"', pattern: quantity },
  'memory-request': { expects: 'a quantity such as "128Mi"', pattern: quantity },
  'memory-limit': { expects: 'a quantity such as "256Mi"', pattern: quantity },
  'rewrite-probes': oneOf('true', 'false'),
  injected: { expects: 'a version', pattern: /^/ },
} satisfies Record<string, Row>

/** The name of an annotation, without the prefix. */
export type AnnotationName = keyof typeof annotationRows
const names = Object.keys(annotationRows)

function isName(text: string): text is AnnotationName {
  return Object.hasOwn(annotationRows, text)
}

/** The annotations that can be used, and what is wrong with the others. */
export interface Annotations {
  readonly values: Readonly<Partial<Record<AnnotationName, string>>>
  readonly problems: readonly Remark[]
}

/** Reads the annotations and labels of a pod's metadata. What has no `sidegate.dev/` in front is nobody's business here. */
export function readAnnotations(annotations: Tree, labels: Tree): Annotations {
  const values: Partial<Record<AnnotationName, string>> = {}
  const problems: Remark[] = []
  for (const [key, value] of Object.entries(annotations)) {
    if (!key.startsWith(PREFIX)) continue
    const path = `metadata.annotations["${key}"]`
    const name = key.slice(PREFIX.length)
    if (!isName(name)) problems.push({ path, message: unknownMessage(name) })
    else if (typeof value !== 'string')
      problems.push({ path, message: `Expected ${annotationRows[name].expects}, as a text in quotes` })
    else if (!annotationRows[name].pattern.test(value))
      problems.push({
        path,
        message: `Expected ${annotationRows[name].expects}, got ${JSON.stringify(value.slice(0, 80))}`,
      })
    else values[name] = value
  }
  return { values, problems: [...problems, ...labelProblems(labels)] }
}

function labelProblems(labels: Tree): readonly Remark[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    if (!key.startsWith(PREFIX)) return []
    const path = `metadata.labels["${key}"]`
    if (key !== INJECT_LABEL)
      return [{ path, message: `Unknown label; the only one is "${INJECT_LABEL}", the rest are annotations` }]
    if (value === 'true' || value === 'false') return []
    return [{ path, message: 'Expected "true" or "false", as a text in quotes' }]
  })
}

function unknownMessage(name: string): string {
  if (name === 'inject') return 'This is a label, not an annotation; move it to the labels'
  const near = closestMatch(name.slice(0, 64), names, { maxDistance: 3 })
  return near === undefined
    ? `Unknown annotation, known are: ${names.map((known) => PREFIX + known).join(', ')}`
    : `Unknown annotation, did you mean "${PREFIX}${near}"`
}

/** Where the app listens. */
export interface Upstream {
  /** `http://127.0.0.1:3000` */
  readonly origin: string
  /** As it stands in a URL: an IPv6 address is in brackets. */
  readonly host: string
  readonly port: number
}

/** Reads the address of an app in the same pod; nothing where it is anything else. */
export function readUpstream(text: string): Upstream | undefined {
  const [, protocol, host, digits] = upstream.exec(text) ?? []
  if (host === undefined) return undefined
  return { origin: `${protocol}://${host}:${digits}`, host, port: Number(digits) }
}
