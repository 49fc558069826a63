// Which pods does the validating policy of the chart refuse? Those whose annotations cannot be meant, and those without a gate.
import { type AnnotationName, annotationRows } from '../../src/kubernetes/injection/annotations.ts'
import { KNATIVE_PROXY } from '../../src/kubernetes/injection/injection.ts'
import { SIDECAR_NAME } from '../../src/kubernetes/injection/sidecar.ts'
import { given, patternOf } from './policy-variables.ts'

const OTHER_CONTAINERS = `(object.spec.containers + object.spec.?initContainers.orValue([])).filter(c, c.name != "${SIDECAR_NAME}")`
const READS_SECRET =
  '(c.?env.orValue([]).exists(e, e.?valueFrom.?secretKeyRef.?name.orValue("") == variables.secret) || c.?envFrom.orValue([]).exists(e, e.?secretRef.?name.orValue("") == variables.secret))'

/** What has to hold, and the sentence where it does not; both in CEL. */
interface Validation {
  readonly expression: string
  readonly message: string
}

/** What a pod is refused for, in the words of `sidegate inject`. */
export function validations(): readonly Validation[] {
  const known = Object.keys(annotationRows).map((name) => `sidegate.dev/${name}`)
  const unknown = `variables.annotations.filter(k, k.startsWith("sidegate.dev/") && !(k in ${JSON.stringify(known)}))`
  const values = Object.entries(annotationRows).flatMap(([name, { expects }]): Validation[] => {
    if (name === 'injected') return []
    const value = given(name as AnnotationName)
    return [
      {
        expression: `!${value}.hasValue() || ${value}.value().matches(${patternOf(name as AnnotationName)})`,
        message: `${JSON.stringify(`Annotation "sidegate.dev/${name}": Expected ${expects}, got `)} + strings.quote(${value}.value())`,
      },
    ]
  })
  return [
    {
      expression: `${unknown}.size() == 0`,
      message: `"Unknown annotation " + ${unknown}.join(", ") + ", known are: ${known.join(', ')}"`,
    },
    ...values,
    {
      expression: 'variables.image != ""',
      message: '"No image is known for the gate; give it by the annotation \\"sidegate.dev/image\\""',
    },
    {
      expression: 'variables.listenPort != variables.adminPort',
      message: '"The gate cannot use port " + string(variables.adminPort) + " for requests and for its probes"',
    },
    ...(['listen', 'admin'] as const).map((which) => ({
      expression: `variables.appPort != variables.${which}Port`,
      message: `"The app has port " + string(variables.appPort) + ", so the gate needs another one: set \\"sidegate.dev/${which}-port\\", or move the app"`,
    })),
    {
      expression: `object.spec.containers.all(c, c.name != "${KNATIVE_PROXY}")`,
      message: `"Knative sends requests to \\"${KNATIVE_PROXY}\\", which asks the app directly: a gate in this pod would be bypassed"`,
    },
    {
      expression: `${OTHER_CONTAINERS}.all(c, !c.?volumeMounts.orValue([]).exists(m, m.name in variables.gateVolumes))`,
      message: '"The app mounts a volume that holds the keys of the gate: it could sign tokens for the whole fleet"',
    },
    {
      expression: `variables.secret == "" || ${OTHER_CONTAINERS}.all(c, !${READS_SECRET})`,
      message: '"The app reads the Secret of the gate: it could sign tokens for the whole fleet"',
    },
    {
      expression: `object.spec.?initContainers.orValue([]).exists(c, c.name == "${SIDECAR_NAME}")`,
      message: '"The pod asks for the gate and has none: the mutating policy of Sidegate has not put it there"',
    },
  ]
}
