// The probes of the app that the gate asks on the kubelet's behalf: their words, shared by the settings, the admin port and
// the pod specs that are written.

/** The kinds of probes that a container can have. */
export const probeKinds = ['startup', 'readiness', 'liveness'] as const

export type ProbeKind = (typeof probeKinds)[number]

/** A URL of this machine: http, https, or tcp for a connection alone. With headers where the app wants them. */
export type ProbeTarget = string | { readonly url: string; readonly headers: Readonly<Record<string, string>> }

/** The target of each probe of each container. */
export type AppProbes = Readonly<Record<string, Readonly<Partial<Record<ProbeKind, ProbeTarget>>>>>

/** Where the admin port answers for a probe of the app. */
export function appProbePath(container: string, kind: ProbeKind): string {
  return `/app-probe/${container}/${kind}`
}
