// An injector in this process, on a free port of 127.0.0.1, and the configuration by which an API server asks it.
import { connect } from 'node:tls'
import type { SidecarDefaults } from '../../src/kubernetes/injection/pod-settings.ts'
import { type CertificateSource, certificateFromFiles } from '../../src/kubernetes/injector/certificate-source.ts'
import { createInjector, type Injector } from '../../src/kubernetes/injector/injector.ts'
import type { TestPair } from './certificates.ts'
import { gateDefaults } from './pods.ts'

export interface TestInjector extends Injector {
  readonly port: number
  readonly url: string
  /** What was logged: the level, the fields and the message. */
  readonly lines: readonly (readonly [string, object, string])[]
}

export interface TestInjectorOptions {
  readonly source: CertificateSource
  readonly readDefaults?: () => Promise<SidecarDefaults>
  readonly clock?: () => number
  readonly drainMs?: number
}

/** Starts it. It looks for changes when it is told to. */
export async function startInjector({ source, ...options }: TestInjectorOptions): Promise<TestInjector> {
  const lines: [string, object, string][] = []
  const at = (level: string) => (fields: object, message: string) => void lines.push([level, fields, message])
  const injector = createInjector({
    listen: { host: '127.0.0.1', port: 0 },
    source,
    readDefaults: async () => gateDefaults,
    log: { info: at('info'), warn: at('warn'), error: at('error') },
    clock: Date.now,
    roundMs: 3_600_000,
    drainMs: 0,
    ...options,
  })
  const { port } = await injector.start()
  await injector.check()
  return { ...injector, port, url: `https://127.0.0.1:${port}`, lines }
}

export function fromPair({ certificateFile, keyFile }: TestPair): CertificateSource {
  return certificateFromFiles({ certificateFile, keyFile, clock: Date.now })
}

/** A MutatingWebhookConfiguration as the chart writes it, but for where the injector is. */
export function webhookConfiguration(name: string, clientConfig: object) {
  return {
    metadata: { name },
    webhooks: [
      {
        name: 'inject.sidegate.dev',
        admissionReviewVersions: ['v1'],
        clientConfig,
        failurePolicy: 'Fail',
        matchPolicy: 'Equivalent',
        reinvocationPolicy: 'IfNeeded',
        sideEffects: 'None',
        timeoutSeconds: 5,
        objectSelector: { matchLabels: { 'sidegate.dev/inject': 'true' } },
        rules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' },
        ],
      },
    ],
  }
}

/** The certificate that it shows, as PEM. */
export function shownBy({ port }: { readonly port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.toString() ?? '')
      socket.destroy()
    })
    socket.on('error', reject)
  })
}
