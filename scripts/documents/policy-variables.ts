// What do the policies of the chart read from a pod? The same as src/kubernetes/injection/pod-settings.ts and probes.ts, in CEL. A URL of
// a probe stays as it was written: CEL cannot escape what a URL should not have.
import { type AnnotationName, annotationRows } from '../../src/kubernetes/injection/annotations.ts'
import { SIDECAR_NAME } from '../../src/kubernetes/injection/sidecar.ts'
import { probeKinds } from '../../src/model/app-probe.ts'

const annotation = (name: AnnotationName) => JSON.stringify(`sidegate.dev/${name}`)
/** The annotation of the pod, which may be absent. */
export const given = (name: AnnotationName) => `variables.annotations[?${annotation(name)}]`
/** What the annotation may hold, as CEL writes a pattern. */
export const patternOf = (name: AnnotationName) => `r'${annotationRows[name].pattern.source.replaceAll('\\/', '/')}'`

/** A default of the release, as a text in CEL. */
const defaultOf = (path: string) => `{{ $defaults.${path} | default "" | toString | toJson }}`
const textVariable = (name: AnnotationName, path: string) => `${given(name)}.orValue(${defaultOf(path)})`
// An annotation that holds no port is refused by the second policy, with a sentence; here it must not fail without one.
const portVariable = (name: 'listen-port' | 'admin-port', path: string) =>
  `int([${textVariable(name, path)}].filter(p, p.matches(${patternOf(name)})).size() > 0 ? ${textVariable(name, path)} : ${defaultOf(path)})`

/** What each kind of probe is turned to: `"readiness":"http://127.0.0.1:3000/health"` for each container, or nothing. */
function probeVariable(kind: string): string {
  const probe = `c.${kind}Probe`
  const isApps = (port: string) =>
    `(${port} == variables.appPort || c.?ports.orValue([]).exists(p, p.?name.orValue("") == ${port} && p.containerPort == variables.appPort && p.?protocol.orValue("TCP") == "TCP"))`
  const http = `${probe}.httpGet`
  // JavaScript drops the port that a scheme has anyway.
  const url = `${http}.?scheme.orValue("HTTP").lowerAscii() + "://" + (
      (${http}.?scheme.orValue("HTTP") == "HTTP" && variables.appPort == 80) || (${http}.?scheme.orValue("HTTP") == "HTTPS" && variables.appPort == 443)
        ? variables.appHost : variables.authority
    ) + (${http}.?path.orValue("/").startsWith("/") ? "" : "/") + ${http}.?path.orValue("/")`
  const headers = `${http}.httpHeaders.map(h, strings.quote(h.name.lowerAscii()) + ":" + strings.quote(h.?value.orValue(""))).join(",")`
  return `object.spec.containers.map(c,
  !variables.isRewriting || c.name == "${SIDECAR_NAME}" || !has(${probe}) ? "" :
  has(${probe}.tcpSocket) && ${probe}.tcpSocket.?host.orValue("") == "" && ${isApps(`${probe}.tcpSocket.port`)}
    ? "\\"${kind}\\":\\"tcp://" + variables.authority + "\\"" :
  has(${http}) && ${http}.?host.orValue("") == "" && ${isApps(`${http}.port`)}
    ? "\\"${kind}\\":" + (
      ${http}.?httpHeaders.orValue([]).size() == 0
        ? strings.quote(${url})
        : "{\\"url\\":" + strings.quote(${url}) + ",\\"headers\\":{" + ${headers} + "}}"
    ) :
  ""
)`
}

/** What both policies read from a pod, in an order in which each needs only those before it. */
export const podVariables: readonly (readonly [string, string])[] = [
  ['annotations', 'object.metadata.?annotations.orValue({})'],
  ['image', textVariable('image', 'image')],
  ['config', textVariable('config', 'configMap')],
  ['secret', textVariable('secret', 'secret')],
  ['mode', textVariable('mode', 'mode')],
  ['logLevel', textVariable('log-level', 'logLevel')],
  ['cpuRequest', textVariable('cpu-request', 'resources.cpuRequest')],
  ['memoryRequest', textVariable('memory-request', 'resources.memoryRequest')],
  ['memoryLimit', textVariable('memory-limit', 'resources.memoryLimit')],
  ['listenPort', portVariable('listen-port', 'listenPort')],
  ['adminPort', portVariable('admin-port', 'adminPort')],
  ['isRewriting', `${given('rewrite-probes')}.orValue("true") != "false"`],
  ['apps', `object.spec.containers.filter(c, c.name != "${SIDECAR_NAME}")`],
  [
    'upstreams',
    `[${given('upstream')}.orValue("")].filter(u, u.matches(${patternOf('upstream')})).map(u, u.endsWith("/") ? u.substring(0, size(u) - 1) : u) +
(variables.apps.size() == 0 ? [] : variables.apps[0].?ports.orValue([]).filter(p, p.?protocol.orValue("TCP") == "TCP").map(p, "http://127.0.0.1:" + string(p.containerPort)))`,
  ],
  ['upstream', 'variables.upstreams.size() > 0 ? variables.upstreams[0] : ""'],
  ['authority', '(variables.upstream == "" ? "http://127.0.0.1:3000" : variables.upstream).split("://")[1]'],
  ['appHost', 'variables.authority.substring(0, variables.authority.lastIndexOf(":"))'],
  ['appPort', 'int(variables.authority.substring(variables.authority.lastIndexOf(":") + 1))'],
]

/** What only the validating policy asks: the names of the volumes with the gate's Secret, its own among them. */
export const guardVariables: readonly (readonly [string, string])[] = [
  [
    'gateVolumes',
    `["${SIDECAR_NAME}"] + (variables.secret == "" ? [] : object.spec.?volumes.orValue([]).filter(v,
  v.?secret.?secretName.orValue("") == variables.secret ||
  v.?projected.?sources.orValue([]).exists(s, s.?secret.?name.orValue("") == variables.secret)
).map(v, v.name))`,
  ],
]

/** What is known of the probes of the app. */
export const probeVariables: readonly (readonly [string, string])[] = [
  ...probeKinds.map((kind) => [kind, probeVariable(kind)] as const),
  [
    'appProbes',
    `object.spec.containers.transformList(i, c, [${probeKinds.map((kind) => `variables.${kind}[i]`).join(', ')}].exists(t, t != ""),
  strings.quote(c.name) + ":{" + [${probeKinds.map((kind) => `variables.${kind}[i]`).join(', ')}].filter(t, t != "").join(",") + "}"
).join(",")`,
  ],
]
