// Pod templates for tests, and the defaults that gates are written with.
import type { SidecarDefaults } from '../../src/kubernetes/pod-settings.ts'

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
