// What does a pod gain with the gate? The one place that says it: the snippet, the example and the component in deploy/,
// the chart, `sidegate inject` and the webhook all show what these two functions make, and a test holds them together.
import { isDeepStrictEqual } from 'node:util'
import type { AppProbes } from '../../model/app-probe.ts'

/** The name of the container and of its volume. */
export const SIDECAR_NAME = 'sidegate'
export const LISTEN_PORT = 8080
export const ADMIN_PORT = 9090
export const CONFIG_MAP = 'sidegate'
/** The user of the image, who owns nothing in it. */
const USER = 65_532
const SETTINGS_FOLDER = '/etc/sidegate'

/** What can differ from pod to pod. */
export interface SidecarSettings {
  readonly image: string
  readonly imagePullPolicy?: string | undefined
  /** Where the app listens; absent: what the settings in the ConfigMap say. */
  readonly upstream?: string | undefined
  /** Default 8080. */
  readonly listenPort?: number | undefined
  /** Default 9090. */
  readonly adminPort?: number | undefined
  /** The ConfigMap with `sidegate.yaml`; default "sidegate". */
  readonly configMap?: string | undefined
  /** The Secret with the files that the settings name; absent: none. */
  readonly secret?: string | undefined
  readonly mode?: string | undefined
  readonly logLevel?: string | undefined
  readonly resources?: SidecarResources | undefined
  /** Where the admin port asks for the probes of the app. */
  readonly appProbes?: AppProbes | undefined
}

/** Quantities as Kubernetes writes them; each absent one has its default. */
export interface SidecarResources {
  readonly cpuRequest?: string | undefined
  readonly memoryRequest?: string | undefined
  readonly memoryLimit?: string | undefined
}

/**
 * The gate as an item of `initContainers`. It is a native sidecar (Kubernetes 1.29): it has started before the app starts
 * and is stopped after it. Nothing stands in it that is a default; variables beat the settings of the ConfigMap.
 */
export function buildSidecar(settings: SidecarSettings) {
  const { image, imagePullPolicy, listenPort = LISTEN_PORT, adminPort = ADMIN_PORT, resources = {} } = settings
  const environment = environmentOf(settings)
  const probe = (path: string) => ({ httpGet: { path, port: adminPort } })
  return {
    name: SIDECAR_NAME,
    image,
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    restartPolicy: 'Always',
    args: ['run', '--config', `${SETTINGS_FOLDER}/sidegate.yaml`],
    ...(environment.length === 0 ? {} : { env: environment }),
    // By number everywhere: a Service finds the named port of a native sidecar only from Kubernetes 1.32 on.
    ports: [
      { containerPort: listenPort, protocol: 'TCP' },
      { containerPort: adminPort, protocol: 'TCP' },
    ],
    // The app starts when this one has succeeded.
    startupProbe: { ...probe('/livez'), periodSeconds: 1, failureThreshold: 30 },
    readinessProbe: { ...probe('/readyz'), periodSeconds: 5, failureThreshold: 2 },
    livenessProbe: { ...probe('/livez'), periodSeconds: 10, failureThreshold: 3 },
    // The kubelet asks as soon as the pod is deleted; SIGTERM comes only when the app has ended.
    lifecycle: { preStop: probe('/drain') },
    resources: {
      requests: { cpu: resources.cpuRequest ?? '100m', memory: resources.memoryRequest ?? '128Mi' },
      limits: { memory: resources.memoryLimit ?? '256Mi' },
    },
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: [{ name: SIDECAR_NAME, mountPath: SETTINGS_FOLDER, readOnly: true }],
  }
}

/**
 * The volume that the gate mounts, as an item of `volumes`: one folder of both, so that settings and the files that they
 * name change together.
 */
export function buildVolume({ configMap = CONFIG_MAP, secret }: SidecarSettings) {
  const secrets = secret === undefined ? [] : [{ secret: { name: secret } }]
  return { name: SIDECAR_NAME, projected: { sources: [{ configMap: { name: configMap } }, ...secrets] } }
}

/** The variables that differ from the defaults, in the order of their names. */
function environmentOf(settings: SidecarSettings): readonly { readonly name: string; readonly value: string }[] {
  const { adminPort = ADMIN_PORT, appProbes = {}, listenPort = LISTEN_PORT, logLevel, mode, upstream } = settings
  const values: Readonly<Record<string, string | undefined>> = {
    SIDEGATE_ADMIN_APP_PROBES: isDeepStrictEqual(appProbes, {}) ? undefined : JSON.stringify(appProbes),
    SIDEGATE_ADMIN_LISTEN: adminPort === ADMIN_PORT ? undefined : `[::]:${adminPort}`,
    SIDEGATE_LISTEN: listenPort === LISTEN_PORT ? undefined : `[::]:${listenPort}`,
    SIDEGATE_LOG_LEVEL: logLevel,
    SIDEGATE_MODE: mode,
    SIDEGATE_UPSTREAM: upstream,
  }
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]))
}
