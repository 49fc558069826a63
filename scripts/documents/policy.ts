// How does the API server itself put the gate into a pod? As a mutating policy with the container that buildSidecar makes,
// and a validating one that refuses what cannot be meant. A template of the chart: the defaults of a release stand in it.
import { INJECT_LABEL, INJECTED_ANNOTATION } from '../../src/kubernetes/injection/annotations.ts'
import { SIDECAR_NAME } from '../../src/kubernetes/injection/sidecar.ts'
import { appProbePath, probeKinds } from '../../src/model/app-probe.ts'
import { containerExpression, volumeExpression } from './policy-gate.ts'
import { validations } from './policy-refusals.ts'
import { guardVariables, podVariables, probeVariables } from './policy-variables.ts'

/** The patches, as a list in CEL. */
function mutation(): string {
  const add = (path: string, value: string) => `JSONPatch{op: "add", path: ${path}, value: ${value}}`
  const probes = probeKinds.flatMap((kind) => [
    `variables.${kind}.transformList(i, t, t != "", ${add(
      `"/spec/containers/" + string(i) + "/${kind}Probe/httpGet"`,
      `Object.spec.containers.${kind}Probe.httpGet{path: "${appProbePath('" + object.spec.containers[i].name + "', kind)}", port: variables.adminPort}`,
    )})`,
    `variables.${kind}.transformList(i, t, t.startsWith("\\"${kind}\\":\\"tcp:"), JSONPatch{op: "remove", path: "/spec/containers/" + string(i) + "/${kind}Probe/tcpSocket"})`,
  ])
  const gate = [
    `(has(object.metadata.annotations) ? [] : [${add('"/metadata/annotations"', '{}')}])`,
    `[${add(`"/metadata/annotations/" + jsonpatch.escapeKey("${INJECTED_ANNOTATION}")`, '{{ .Chart.AppVersion | toJson }}')}]`,
    `(has(object.spec.initContainers) ? [] : [${add('"/spec/initContainers"', '[]')}])`,
    `[${add('"/spec/initContainers/0"', containerExpression())}]`,
    `(has(object.spec.volumes) ? [] : [${add('"/spec/volumes"', '[]')}])`,
    `[${add('"/spec/volumes/-"', volumeExpression())}]`,
    ...probes,
  ].join(' +\n')
  const mounts = `"/spec/initContainers/" + string(i) + "/volumeMounts"`
  const withoutToken = `JSONPatch{op: "replace", path: ${mounts}, value: c.volumeMounts.filter(m, ${NO_TOKEN})}`
  return `${HAS_GATE} ? ${INIT_CONTAINERS}.transformList(i, c, c.name == "${SIDECAR_NAME}", ${withoutToken}) :\n${gate}`
}

const INIT_CONTAINERS = 'object.spec.?initContainers.orValue([])'
const HAS_GATE = `${INIT_CONTAINERS}.exists(c, c.name == "${SIDECAR_NAME}")`
const NO_TOKEN = 'm.mountPath != "/var/run/secrets/kubernetes.io/serviceaccount"'
/**
 * The API server mounts the token of the service account into every container, and into the gate once it is there. The
 * policy is asked again then, and takes it out: the gate asks nothing of the API server.
 */
const IS_DONE = `${INIT_CONTAINERS}.exists(c, c.name == "${SIDECAR_NAME}" && c.?volumeMounts.orValue([]).all(m, ${NO_TOKEN}))`

const block = (text: string, indent: number) =>
  `|-\n${text
    .split('\n')
    .map((line) => (line.startsWith('{{-') ? line : ' '.repeat(indent) + line))
    .join('\n')}`

const variableList = (list: typeof podVariables) =>
  list.map(([name, expression]) => `    - name: ${name}\n      expression: ${block(expression, 8)}`).join('\n')

const matching = `  failurePolicy: Fail
  matchConstraints:
    matchPolicy: Equivalent
    objectSelector:
      matchLabels: { ${INJECT_LABEL}: "true" }
    namespaceSelector:
      {{- toYaml .Values.injection.namespaceSelector | nindent 6 }}
    resourceRules:
      - { apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods], scope: Namespaced }`

const head = (kind: string) => `apiVersion: admissionregistration.k8s.io/v1
kind: ${kind}
metadata:
  name: {{ include "sidegate.name" . }}
  labels:
    {{- include "sidegate.labels" . | nindent 4 }}
spec:`

/** The text of the chart's template. */
export function policyTemplate(): string {
  return `{{- /* Written by "npm run generate" from src/kubernetes/injection/sidecar.ts and annotations.ts. Changes here are lost. */}}
{{- if eq (include "sidegate.mode" .) "policy" }}
{{- $defaults := include "sidegate.defaults" . | fromYaml }}
# Puts the gate into pods with the label, as "sidegate inject" does.
${head('MutatingAdmissionPolicy')}
${matching}
  matchConditions:
    - name: has-no-gate-yet-or-one-with-a-token
      expression: '!${IS_DONE}'
  reinvocationPolicy: IfNeeded
  variables:
${variableList([...podVariables, ...probeVariables])}
  mutations:
    - patchType: JSONPatch
      jsonPatch:
        expression: ${block(mutation(), 10)}
---
${head('MutatingAdmissionPolicyBinding')}
  policyName: {{ include "sidegate.name" . }}
---
# Says what is wrong where a pod asks for something that cannot be, and lets no pod with the label through without a gate.
${head('ValidatingAdmissionPolicy')}
${matching}
  variables:
${variableList([...podVariables, ...guardVariables])}
  validations:
${validations()
  .map(
    ({ expression, message }) =>
      `    - expression: ${block(expression, 8)}\n      messageExpression: ${block(message, 8)}`,
  )
  .join('\n')}
---
${head('ValidatingAdmissionPolicyBinding')}
  policyName: {{ include "sidegate.name" . }}
  validationActions: [Deny]
{{- end }}
`
}
