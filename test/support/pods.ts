// Pod templates for tests, and the defaults that gates are written with.
import type { SidecarDefaults } from '../../src/kubernetes/injection/pod-settings.ts'

export const gateDefaults: SidecarDefaults = { image: 'registry.example.com/sidegate:1.2.3', version: '1.2.3' }

/** A template with one app that listens on port 3000, with members added or replaced. */
export function appTemplate(spec: object = {}, metadata: object = {}) {
  return {
    metadata: { labels: { app: 'orders', 'sidegate.dev/inject': 'true' }, ...metadata },
    spec: {
      containers: [
        {
          name: 'app',
          image: 'registry.example.com/orders:1',
          ports: [{ name: 'http', containerPort: 3000 }],
          readinessProbe: { httpGet: { path: '/health', port: 'http' }, periodSeconds: 5, timeoutSeconds: 2 },
        },
      ],
      ...spec,
    },
  }
}

/** A pod with that app, which an API server takes. */
export function podOf(name: string, spec: object = {}, metadata: object = {}) {
  return { apiVersion: 'v1', kind: 'Pod', ...appTemplate(spec, { name, ...metadata }) }
}

/** The same pod as a namespace takes it that enforces the restricted profile. */
export function restrictedPod(name: string) {
  const { spec, ...pod } = podOf(name)
  const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
  return {
    ...pod,
    spec: {
      ...spec,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: spec.containers.map((container) => ({ ...container, securityContext })),
    },
  }
}
