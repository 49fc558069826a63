// `sidegate injector`: the webhook that puts the gate into the pods of a cluster, until it is told to stop. Its certificate
// comes from files, or it makes one itself and shares it with its replicas through a Secret.

import { readFile } from 'node:fs/promises'
import type { Argv } from 'yargs'
import type { SidecarDefaults } from '../../kubernetes/injection/pod-settings.ts'
import { type CertificateSource, certificateFromFiles } from '../../kubernetes/injector/certificate-source.ts'
import { createCluster } from '../../kubernetes/injector/cluster.ts'
import { readDefaults } from '../../kubernetes/injector/defaults.ts'
import { createInjector, type Place } from '../../kubernetes/injector/injector.ts'
import { selfMadeCertificate } from '../../kubernetes/injector/self-signed-certificate.ts'
import { messageOf } from '../../model/error.ts'
import { version } from '../../runtime/version.ts'
import { createLog } from '../../telemetry/logs/log.ts'
import { createLogOutput } from '../../telemetry/logs/log-output.ts'
import { ANSWER_IS_NO, DONE, type Shell, UsageError } from '../shell.ts'
import { cannotRead } from './manifest-files.ts'

export interface InjectorArguments {
  readonly listen: string
  readonly defaults?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  readonly webhook?: string | undefined
  readonly service?: string | undefined
  readonly namespace?: string | undefined
  readonly secret?: string | undefined
  readonly apiServer: string
  readonly accountFolder: string
  readonly logLevel: string
}

export function injectorOptions<T>(argv: Argv<T>) {
  const text = (description: string) => ({ type: 'string', requiresArg: true, description }) as const
  return argv
    .option('listen', {
      ...text('Where it listens, over HTTPS: /inject, /livez, /readyz and /metrics'),
      default: '[::]:8443',
    })
    .option('defaults', text('A file (YAML) with what holds for all pods: image, configMap, secret, resources, …'))
    .option('cert-file', text('The certificate to show, as PEM; read again when it changes'))
    .option('key-file', text('Its private key, as PEM'))
    .option('webhook', text('Without files: the MutatingWebhookConfiguration that gets the authority'))
    .option('service', text('Without files: the Service that the API server calls'))
    .option('namespace', text('Without files: the namespace of the Service and of the Secret'))
    .option('secret', text('Without files: the Secret that holds the certificate for all replicas'))
    .option('api-server', { ...text('Where the API server is'), default: 'https://kubernetes.default.svc' })
    .option('account-folder', {
      ...text('The folder with the token of the service account'),
      default: '/var/run/secrets/kubernetes.io/serviceaccount',
    })
    .option('log-level', {
      ...text('The least serious lines that are written'),
      choices: ['debug', 'info', 'warn', 'error', 'silent'],
      default: 'info',
    })
    .example('$0 injector --cert-file /tls/tls.crt --key-file /tls/tls.key --defaults /etc/injector/defaults.yaml', '')
    .example(
      '$0 injector --webhook sidegate --service sidegate-injector --namespace sidegate --secret sidegate-injector',
      '',
    )
}

/** Answers 0 after a signal, 1 where it could not start. */
export async function injector(given: InjectorArguments, shell: Shell): Promise<number> {
  const logOutput = createLogOutput(shell.output)
  const { isTerminal } = shell
  const log = createLog({ level: given.logLevel, format: 'auto' }, { isTerminal, to: logOutput })
  const running = createInjector({
    listen: readPlace(given.listen),
    source: sourceOf(given, shell),
    readDefaults: () => readDefaultsFile(given.defaults),
    log,
    clock: shell.clock,
  })
  // Before the start, so that a signal meanwhile is not lost.
  const stopped = shell.untilStopped()
  try {
    await running.start()
    log.info({ signal: await stopped }, 'Told to stop')
    await running.stop()
    return DONE
  } catch (error) {
    shell.complain(`Cannot start: ${messageOf(error)}`)
    return ANSWER_IS_NO
  } finally {
    logOutput.flush()
  }
}

function readPlace(text: string): Place {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535)
    throw new UsageError(`--listen expects an address such as "[::]:8443", got ${JSON.stringify(text)}`)
  return { host, port }
}

function sourceOf(given: InjectorArguments, { clock }: Shell): CertificateSource {
  const { certFile, keyFile, webhook, service, namespace, secret, apiServer, accountFolder } = given
  const isFromFiles = certFile !== undefined || keyFile !== undefined
  if (isFromFiles && [webhook, service, namespace, secret].some((name) => name !== undefined))
    throw new UsageError('Give either --cert-file and --key-file, or --webhook, --service, --namespace and --secret')
  if (isFromFiles) {
    if (certFile === undefined || keyFile === undefined)
      throw new UsageError('--cert-file and --key-file belong together: give both')
    return certificateFromFiles({ certificateFile: certFile, keyFile, clock })
  }
  if (webhook === undefined || service === undefined || namespace === undefined || secret === undefined)
    throw new UsageError(
      'A certificate is needed: give --cert-file and --key-file, or --webhook, --service, --namespace and --secret',
    )
  if (URL.parse(apiServer)?.protocol !== 'https:')
    throw new UsageError('--api-server expects a URL such as "https://kubernetes.default.svc"')
  const ask = createCluster({ server: apiServer, accountFolder })
  return selfMadeCertificate({ ask, webhook, service, namespace, secret, clock })
}

async function readDefaultsFile(path: string | undefined): Promise<SidecarDefaults> {
  if (path === undefined) return { version }
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(cannotRead(path, error))
  })
  const { defaults, problems } = readDefaults(text, version)
  if (problems.length > 0) throw new Error(problems.map((problem) => `${path}:${problem}`).join('\n'))
  return defaults
}
