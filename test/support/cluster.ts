// A real kube-apiserver with its etcd on loopback, for one test file: no kubelet and no controllers, so what is created stays
// as admission made it. RBAC is on, and so is everything else that is on by default.
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { accessSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { vi } from 'vitest'
import type { Tree } from '../../src/kubernetes/manifests/nested-values.ts'
import { makeCertificates } from './certificates.ts'
import { freePort } from './listen.ts'

/** The path of a program: from the variable, else from PATH; nothing where it is not here. */
function findProgram(variable: string, name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))
  return [process.env[variable] ?? [], folders].flat().find((path) => {
    try {
      accessSync(path)
      return path !== ''
    } catch {
      return false
    }
  })
}

/** What of the programs that a cluster needs is missing, as a sentence; nothing where all are here. */
export const clusterMissing: string | undefined = (() => {
  const needed = { KUBE_APISERVER: 'kube-apiserver', ETCD: 'etcd' }
  const missing = Object.entries(needed).filter(([variable, name]) => findProgram(variable, name) === undefined)
  if (missing.length === 0) return undefined
  const how = missing.map(([variable, name]) => `${name} (PATH, or ${variable})`).join(' and ')
  return `${how}; test/cluster/build-apiserver.sh builds the API server`
})()

export interface ApiAnswer {
  readonly status: number
  readonly body: Tree
  /** The texts of the Warning headers. */
  readonly warnings: readonly string[]
}

export interface ApiRequest {
  readonly body?: unknown
  readonly contentType?: string
  /** Default: the administrator. */
  readonly token?: string
}

export interface Cluster {
  readonly server: string
  /** The certificate of the authority of the API server, as PEM. */
  readonly authority: string
  /** For helm and kubectl. */
  readonly kubeconfig: string
  readonly ask: (method: string, path: string, options?: ApiRequest) => Promise<ApiAnswer>
  /** Makes a namespace with the service account that the controllers would make. */
  readonly makeNamespace: (name: string, labels?: Readonly<Record<string, string>>) => Promise<void>
  /** A token of a service account, as the kubelet would get one. */
  readonly mintToken: (namespace: string, account: string) => Promise<string>
  /** A folder as it is mounted into a pod of that service account. */
  readonly accountFolder: (namespace: string, account: string) => Promise<string>
  readonly stop: () => Promise<void>
}

/** Starts a cluster of its own. */
export async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-cluster-'))
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    return join(folder, name)
  }
  const certificates = makeCertificates()
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const accountKey = file('account.key', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
  const accountPublicKey = file('account.pem', publicKey.export({ type: 'spki', format: 'pem' }).toString())
  const administrator = randomBytes(16).toString('hex')
  const tokens = file('tokens.csv', `${administrator},admin,admin,"system:masters"\n`)
  const [etcdPort, peerPort, port] = await Promise.all([1, 2, 3].map(() => freePort()))
  const etcdUrl = `http://127.0.0.1:${etcdPort}`
  const etcd = run(findProgram('ETCD', 'etcd') ?? 'etcd', [
    ...[`--data-dir=${join(folder, 'etcd')}`, `--listen-client-urls=${etcdUrl}`, `--advertise-client-urls=${etcdUrl}`],
    ...[`--listen-peer-urls=http://127.0.0.1:${peerPort}`, '--unsafe-no-fsync', '--log-level=error'],
  ])
  const apiServer = run(findProgram('KUBE_APISERVER', 'kube-apiserver') ?? 'kube-apiserver', [
    ...[`--etcd-servers=${etcdUrl}`, `--secure-port=${port}`, '--bind-address=127.0.0.1'],
    ...[`--tls-cert-file=${certificates.certificateFile}`, `--tls-private-key-file=${certificates.keyFile}`],
    ...['--endpoint-reconciler-type=none', '--service-cluster-ip-range=10.96.0.0/16', '--authorization-mode=RBAC'],
    ...['--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${accountPublicKey}`],
    ...[`--service-account-signing-key-file=${accountKey}`, `--token-auth-file=${tokens}`],
  ])
  const server = `https://127.0.0.1:${port}`
  const { authority } = certificates

  const ask: Cluster['ask'] = (method, path, options = {}) =>
    askServer(new URL(path, server), method, { token: administrator, ...options, authority })

  await vi.waitFor(
    async () => {
      if (apiServer.child.exitCode !== null) throw new Error(`The API server has ended: ${apiServer.output()}`)
      const { status } = await ask('GET', '/readyz')
      if (status !== 200) throw new Error(`The API server is not ready: ${status}, ${apiServer.output()}`)
    },
    { timeout: 120_000, interval: 300 },
  )

  async function must(method: string, path: string, body: unknown): Promise<Tree> {
    const answer = await ask(method, path, { body })
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  const makeNamespace: Cluster['makeNamespace'] = async (name, labels = {}) => {
    await must('POST', '/api/v1/namespaces', { metadata: { name, labels } })
    await must('POST', `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } })
  }

  const mintToken: Cluster['mintToken'] = async (namespace, account) => {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`
    const minted = (await must('POST', path, { spec: { expirationSeconds: 3600 } })) as { status: { token: string } }
    return minted.status.token
  }

  const kubeconfig = file(
    'kubeconfig',
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        { name: 'test', cluster: { server, 'certificate-authority-data': Buffer.from(authority).toString('base64') } },
      ],
      users: [{ name: 'admin', user: { token: administrator } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
      'current-context': 'test',
    }),
  )
  return {
    server,
    authority,
    kubeconfig,
    ask,
    makeNamespace,
    mintToken,
    accountFolder: async (namespace, account) => {
      const own = join(folder, `account-${namespace}-${account}`)
      mkdirSync(own, { recursive: true })
      writeFileSync(join(own, 'token'), await mintToken(namespace, account))
      writeFileSync(join(own, 'ca.crt'), authority)
      return own
    },
    stop: async () => {
      await apiServer.end()
      await etcd.end()
      certificates.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function run(program: string, given: readonly string[]) {
  let text = ''
  const child: ChildProcess = spawn(program, given, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.on('error', (error) => {
    text += error.message
  })
  child.stderr?.on('data', (bytes: Buffer) => {
    text = (text + bytes.toString('utf8')).slice(-4000)
  })
  const end = async () => {
    child.kill('SIGKILL')
    await ended
  }
  return { child, output: () => text, end }
}

interface Asked extends ApiRequest {
  readonly authority: string
}

function askServer(url: URL, method: string, { body, contentType, token, authority }: Asked): Promise<ApiAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method,
        ca: authority,
        agent: false,
        headers: {
          authorization: `Bearer ${token}`,
          ...(text !== undefined && { 'content-type': contentType ?? 'application/json' }),
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const given = response.headersDistinct.warning ?? []
          const warnings = given.map((line) => line.replace(/^299 - "(.*)"$/, '$1').replaceAll('\\"', '"'))
          resolve({ status: response.statusCode ?? 0, body: readJson(Buffer.concat(chunks)), warnings })
        })
      },
    )
    sent.on('error', reject)
    sent.end(text)
  })
}

function readJson(bytes: Buffer): Tree {
  try {
    return JSON.parse(bytes.toString('utf8')) as Tree
  } catch {
    return {}
  }
}
