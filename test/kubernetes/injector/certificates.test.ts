// The certificates that the injector makes: whether others believe them, and how replicas agree on one.
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { isVouchedFor, pairTrouble } from '../../../src/kubernetes/injector/certificate-pair.ts'
import type { AskCluster, ClusterAnswer } from '../../../src/kubernetes/injector/cluster.ts'
import { issuePair } from '../../../src/kubernetes/injector/issue.ts'
import { selfMadeCertificate } from '../../../src/kubernetes/injector/self-signed-certificate.ts'
import { type Tree, textAt, treeAt, treesAt } from '../../../src/kubernetes/manifests/nested-values.ts'
import { listen } from '../../support/listen.ts'

const NAME = 'sidegate-injector.gates.svc'
const DAY_MS = 86_400_000
const issue = (nowMs = Date.now(), lifetimeMs = 90 * DAY_MS) => issuePair({ names: [NAME], nowMs, lifetimeMs })

describe('a certificate of its own making', () => {
  test('is believed by a client that believes its authority, under its name alone', async () => {
    const { certificate, privateKey, authority } = issue()
    const server = createServer({ cert: certificate, key: privateKey })
    const port = await listen(server)
    const meet = async (servername: string) => {
      const socket = connect({ host: '127.0.0.1', port, servername, ca: authority })
      const trouble = await once(socket, 'secureConnect').then(
        () => undefined,
        (error: Error) => error.message,
      )
      socket.destroy()
      return trouble
    }
    expect(await meet(NAME)).toBeUndefined()
    expect(await meet('other.gates.svc')).toContain('does not match')
    server.close()
  })

  test('passes the strict check of openssl', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sidegate-issue-'))
    const { certificate, authority } = issue()
    writeFileSync(join(folder, 'ca.pem'), authority)
    writeFileSync(join(folder, 'tls.pem'), certificate)
    const given = ['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_hostname', NAME, '-CAfile']
    const ran = spawnSync('openssl', [...given, join(folder, 'ca.pem'), join(folder, 'tls.pem')], { encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    expect(ran.stdout + ran.stderr).toContain('tls.pem: OK')
  })

  test('lasts as long as was said, also beyond 2050, and can sign nothing', () => {
    const nowMs = Date.UTC(2049, 11, 1)
    const read = new X509Certificate(issue(nowMs).certificate)
    expect(read.validToDate.getTime()).toBe(nowMs + 90 * DAY_MS)
    expect(read.validFromDate.getTime()).toBe(nowMs - 3_600_000)
    expect(read.ca).toBe(false)
    expect(read.subjectAltName).toBe(`DNS:${NAME}`)
  })

  test('is vouched for by its own authority and no other', () => {
    const [one, other] = [issue(), issue()]
    expect(isVouchedFor(one.certificate, other.authority + one.authority)).toBe(true)
    expect(isVouchedFor(one.certificate, other.authority)).toBe(false)
    expect(isVouchedFor(one.certificate, one.certificate)).toBe(false)
  })

  test('is not shown with another key, out of its time, or where it is none', () => {
    const [one, other] = [issue(), issue()]
    const nowMs = Date.now()
    expect(pairTrouble(one, nowMs)).toBeUndefined()
    expect(pairTrouble({ ...one, privateKey: other.privateKey }, nowMs)).toBe(
      'the key does not belong to the certificate',
    )
    expect(pairTrouble(one, nowMs + 91 * DAY_MS)).toContain('has expired')
    expect(pairTrouble(one, nowMs - DAY_MS)).toContain('is not valid before')
    expect(pairTrouble({ ...one, certificate: 'x' }, nowMs)).toBe('the certificate is not one in PEM')
    expect(pairTrouble({ ...one, privateKey: 'x' }, nowMs)).toBe('the key is not a private key in PEM')
  })
})

/** The two objects as an API server keeps them: a write that names another version than the present one is a conflict. */
function createObjects() {
  let version = 1
  let secret: Tree | undefined
  let caBundle = ''
  /** Answers instead of the objects, where there is one. */
  const faults: ((method: string, path: string) => ClusterAnswer | undefined)[] = []
  const asked: string[] = []
  const stamped = (object: Tree) => {
    version += 1
    return { ...object, metadata: { ...treeAt(object, 'metadata'), resourceVersion: `${version}` } }
  }
  let configuration = stamped({ webhooks: [{ clientConfig: {} }] })
  const conflict: ClusterAnswer = { status: 409, body: { message: 'the object has been modified' } }
  const versionOf = (object: Tree | undefined) => textAt(object, 'metadata', 'resourceVersion')

  const ask: AskCluster = async ({ method, path, body }) => {
    asked.push(`${method} ${path}`)
    // Others come in between, as they do on the network.
    await new Promise((resolve) => setImmediate(resolve))
    const fault = faults.map((answer) => answer(method, path)).find((answer) => answer !== undefined)
    if (fault !== undefined) return fault
    if (path.includes('/secrets')) {
      if (method === 'GET') return secret === undefined ? { status: 404, body: {} } : { status: 200, body: secret }
      if (method === 'POST' ? secret !== undefined : versionOf(secret) !== versionOf(body as Tree)) return conflict
      secret = stamped(body as Tree)
      return { status: 200, body: secret }
    }
    if (method === 'GET') return { status: 200, body: configuration }
    const [test, write] = body as readonly Tree[]
    if (test?.value !== versionOf(configuration)) return conflict
    caBundle = String(write?.value)
    configuration = stamped({ ...configuration, webhooks: [{ clientConfig: { caBundle } }] })
    return { status: 200, body: configuration }
  }
  return {
    ask,
    asked,
    faults,
    bundle: () => Buffer.from(caBundle, 'base64').toString('utf8'),
    certificate: () => Buffer.from(textAt(secret, 'data', 'tls.crt') ?? '', 'base64').toString('utf8'),
    reset: () => {
      configuration = stamped({ webhooks: [{ clientConfig: {} }] })
      caBundle = ''
    },
    setSecret: (data: Tree) => {
      secret = stamped({ metadata: { name: 'certificate' }, data })
    },
    authorities: () =>
      treesAt(configuration, 'webhooks').length &&
      Buffer.from(caBundle, 'base64').toString('utf8').split('BEGIN').length - 1,
  }
}

describe('replicas', () => {
  let nowMs = Date.now()
  const replica = ({ ask }: { readonly ask: AskCluster }) =>
    selfMadeCertificate({
      ask,
      webhook: 'w',
      service: 'sidegate-injector',
      namespace: 'gates',
      secret: 'certificate',
      clock: () => nowMs,
    })

  test('that start together show one certificate', async () => {
    const objects = createObjects()
    const rounds = await Promise.all([replica(objects)(), replica(objects)(), replica(objects)()])
    for (const { pair } of rounds) expect(pair?.certificate).toBe(objects.certificate())
    expect(isVouchedFor(objects.certificate(), objects.bundle())).toBe(true)
    expect(objects.authorities()).toBe(1)
  })

  test('write nothing while nothing changes', async () => {
    const objects = createObjects()
    const round = replica(objects)
    await round()
    objects.asked.length = 0
    expect(await round()).toEqual({})
    expect(objects.asked.filter((line) => !line.startsWith('GET'))).toEqual([])
  })

  test('show a renewed certificate only a round after its authority was announced', async () => {
    nowMs = Date.now()
    const objects = createObjects()
    const [one, other] = [replica(objects), replica(objects)]
    const first = await one()
    await other()
    nowMs += 46 * DAY_MS
    expect(await one()).toEqual({})
    expect(objects.authorities()).toBe(2)
    expect(isVouchedFor(first.pair?.certificate ?? '', objects.bundle())).toBe(true)
    // The other one sees it for the first time now, however long it is there.
    expect(await other()).toEqual({})
    expect((await one()).pair?.certificate).toBe(objects.certificate())
    expect((await other()).pair?.certificate).toBe(objects.certificate())
  })

  test('let an authority go that has expired', async () => {
    nowMs = Date.now()
    const objects = createObjects()
    const round = replica(objects)
    await round()
    nowMs += 46 * DAY_MS
    await round()
    nowMs += 46 * DAY_MS
    await round()
    expect(objects.authorities()).toBe(2)
    for (const each of objects.bundle().match(/-----BEGIN[\s\S]*?END CERTIFICATE-----/g) ?? [])
      expect(new X509Certificate(each).validToDate.getTime()).toBeGreaterThan(nowMs)
  })

  test.each([
    ['is empty', {}],
    ['holds something else', { 'tls.crt': 'eA==', 'tls.key': 'eA==', 'ca.crt': 'eA==' }],
  ])('make a certificate where the Secret %s', async (_name, data) => {
    const objects = createObjects()
    objects.setSecret(data)
    expect((await replica(objects)()).pair?.certificate).toBe(objects.certificate())
    expect(isVouchedFor(objects.certificate(), objects.bundle())).toBe(true)
  })

  test('put the authority back that somebody took away', async () => {
    const objects = createObjects()
    const round = replica(objects)
    await round()
    objects.reset()
    await round()
    expect(isVouchedFor(objects.certificate(), objects.bundle())).toBe(true)
  })

  test('say why they are not believed, where they may not write', async () => {
    const objects = createObjects()
    const round = replica(objects)
    await round()
    objects.reset()
    objects.faults.push((method) => (method === 'PATCH' ? { status: 403, body: { message: 'not you' } } : undefined))
    expect(await round()).toEqual({
      missing:
        'Cannot write the authority into the MutatingWebhookConfiguration "w": the API server answers 403, "not you"',
    })
  })

  test('go on with a certificate that is still good where a new one cannot be kept', async () => {
    nowMs = Date.now()
    const objects = createObjects()
    await replica(objects)()
    const before = objects.certificate()
    nowMs += 46 * DAY_MS
    objects.faults.push((method) => (method === 'PUT' ? { status: 403, body: {} } : undefined))
    expect(await replica(objects)()).toMatchObject({
      pair: { certificate: before },
      trouble: 'Cannot write the Secret "certificate": the API server answers 403',
    })
  })

  test('show nothing where the configuration is not there', async () => {
    const objects = createObjects()
    objects.faults.push((_method, path) => (path.includes('webhook') ? { status: 404, body: {} } : undefined))
    await expect(replica(objects)()).rejects.toThrow('Cannot read the MutatingWebhookConfiguration "w"')
    expect(objects.certificate()).toBe('')
  })
})
