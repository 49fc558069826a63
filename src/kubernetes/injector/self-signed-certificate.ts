// How do all replicas show one certificate that nobody made for them? It is kept in a Secret, made by whoever comes first,
// renewed at half of its life, and its authority is written into the webhook's configuration. Every write names the version
// that was read, so of two replicas one is told to look again.

import type { Clock } from '../../model/clock.ts'
import { isTree, type Tree, textAt, treeAt, treesAt } from '../manifests/nested-values.ts'
import { certificatesIn, firstCertificate, isVouchedFor, type Pair, pairTrouble } from './certificate-pair.ts'
import type { CertificateRound, CertificateSource } from './certificate-source.ts'
import { type AskCluster, type ClusterAnswer, ClusterError, expectSuccess, failureOf } from './cluster.ts'
import { issuePair } from './issue.ts'

const DAY_MS = 86_400_000
const LIFETIME_MS = 90 * DAY_MS
const TRIES = 3
const CONFLICT = 409
const NOT_FOUND = 404

export interface SelfMadeOptions {
  readonly ask: AskCluster
  /** The Service that the API server calls, and with it the name in the certificate. */
  readonly service: string
  readonly namespace: string
  readonly secret: string
  /** The MutatingWebhookConfiguration. */
  readonly webhook: string
  readonly clock: Clock
}

interface Stored extends Pair {
  /** The authorities, the newest first; the one before stays until it expires, so that its certificates are still believed. */
  readonly bundle: string
  /** Why it was not renewed, though it is time. */
  readonly trouble?: string | undefined
}

/**
 * Makes the source. A certificate that takes the place of another is shown only after a whole round in which its authority
 * was in the webhook's configuration: every API server has heard of it by then.
 */
export function selfMadeCertificate(options: SelfMadeOptions): CertificateSource {
  let shown: Pair | undefined
  let announced: string | undefined
  return async (): Promise<CertificateRound> => {
    const { stored, missing } = await agree(options, shown)
    const { trouble } = stored
    if (missing !== undefined) return { missing, trouble }
    const mayShow = !isBelievedBy(shown, stored.bundle) || announced === stored.bundle
    announced = stored.bundle
    if (shown?.certificate === stored.certificate || !mayShow) return { trouble }
    shown = { certificate: stored.certificate, privateKey: stored.privateKey }
    return { pair: shown, trouble }
  }
}

interface Agreed {
  readonly stored: Stored
  readonly missing?: string | undefined
}

/** Brings the Secret and the configuration to one state, whoever else does so at the same time. */
async function agree(options: SelfMadeOptions, shown: Pair | undefined): Promise<Agreed> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    // In this order: a bundle that is newer than the Secret read here shows as a conflict in the configuration.
    const configuration = await readConfiguration(options)
    const stored = await ensureStored(options)
    const written = await announce(configuration, stored.bundle, options)
    if (written === undefined || written.status < 300) return { stored }
    if (written.status === CONFLICT) continue
    const trouble = failureOf(written, `write the authority into the MutatingWebhookConfiguration "${options.webhook}"`)
    if (announcedBundles(configuration).every((bundle) => isBelievedBy(shown, bundle))) throw trouble
    return { stored, missing: trouble.message }
  }
  throw new ClusterError(`Cannot write to "${options.webhook}": others changed it ${TRIES} times meanwhile`)
}

function isBelievedBy(pair: Pair | undefined, bundle: string): boolean {
  return pair !== undefined && isVouchedFor(pair.certificate, bundle)
}

/** The authorities that the API server believes, for each webhook of the configuration. */
function announcedBundles(configuration: Tree): readonly string[] {
  return treesAt(configuration, 'webhooks').map((webhook) =>
    Buffer.from(textAt(webhook, 'clientConfig', 'caBundle') ?? '', 'base64').toString('utf8'),
  )
}

function readConfiguration({ ask, webhook }: SelfMadeOptions): Promise<Tree> {
  return ask({ method: 'GET', path: configurationPath(webhook) }).then((answer) =>
    expectSuccess(answer, `read the MutatingWebhookConfiguration "${webhook}"`),
  )
}

function configurationPath(name: string): string {
  return `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${encodeURIComponent(name)}`
}

/** Writes the bundle into every webhook of the configuration that has another one; answers nothing where all have it. */
async function announce(
  configuration: Tree,
  bundle: string,
  { ask, webhook }: SelfMadeOptions,
): Promise<ClusterAnswer | undefined> {
  const caBundle = Buffer.from(bundle).toString('base64')
  const operations = treesAt(configuration, 'webhooks').flatMap(({ clientConfig }, index) =>
    textAt(clientConfig, 'caBundle') === caBundle
      ? []
      : [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle }],
  )
  if (operations.length === 0) return undefined
  const version = textAt(configuration, 'metadata', 'resourceVersion')
  return ask({
    method: 'PATCH',
    path: configurationPath(webhook),
    contentType: 'application/json-patch+json',
    body: [{ op: 'replace', path: '/metadata/resourceVersion', value: version }, ...operations],
  })
}

/** The pair of the Secret; a new one is put there first where that is missing, broken or past half of its life. */
async function ensureStored(options: SelfMadeOptions): Promise<Stored> {
  const { ask, clock, namespace, secret } = options
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`
  const own = `${path}/${encodeURIComponent(secret)}`
  for (let tries = 0; tries < TRIES; tries += 1) {
    const read = await ask({ method: 'GET', path: own })
    const isThere = read.status !== NOT_FOUND
    const present = isThere ? readStored(expectSuccess(read, `read the Secret "${secret}"`)) : undefined
    if (present !== undefined && !isDue(present, options)) return present
    const made = makeStored(present, options)
    const data = encoded({ 'tls.crt': made.certificate, 'tls.key': made.privateKey, 'ca.crt': made.bundle })
    const written = isThere
      ? await ask({ method: 'PUT', path: own, body: { ...read.body, data } })
      : await ask({
          method: 'POST',
          path,
          body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: secret }, data },
        })
    if (written.status === CONFLICT) continue
    if (written.status < 300) return made
    const trouble = failureOf(written, `write the Secret "${secret}"`)
    if (present === undefined || pairTrouble(present, clock()) !== undefined) throw trouble
    return { ...present, trouble: trouble.message }
  }
  throw new ClusterError(`Cannot write the Secret "${secret}": others changed it ${TRIES} times meanwhile`)
}

function readStored(secret: Tree): Stored | undefined {
  const data = treeAt(secret, 'data')
  const text = (name: string) => Buffer.from(textAt(data, name) ?? '', 'base64').toString('utf8')
  const stored = { certificate: text('tls.crt'), privateKey: text('tls.key'), bundle: text('ca.crt') }
  return isTree(secret.data) && stored.certificate !== '' ? stored : undefined
}

function isDue({ bundle, ...pair }: Stored, options: SelfMadeOptions): boolean {
  const nowMs = options.clock()
  const certificate = firstCertificate(pair.certificate)
  if (certificate === undefined || pairTrouble(pair, nowMs) !== undefined) return true
  const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()]
  const isOurs = certificate.checkHost(nameOf(options)) !== undefined && isVouchedFor(pair.certificate, bundle)
  return !isOurs || nowMs >= (from + to) / 2
}

function makeStored(before: Stored | undefined, options: SelfMadeOptions): Stored {
  const nowMs = options.clock()
  const { authority, ...pair } = issuePair({ names: [nameOf(options)], nowMs, lifetimeMs: LIFETIME_MS })
  const believed = certificatesIn(before?.bundle ?? '').filter(({ validToDate }) => validToDate.getTime() > nowMs)
  return { ...pair, bundle: [authority, ...believed.slice(0, 2).map(String)].join('') }
}

/** The name by which the API server calls a Service. */
function nameOf({ service, namespace }: SelfMadeOptions): string {
  return `${service}.${namespace}.svc`
}

function encoded(texts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString('base64')]))
}
