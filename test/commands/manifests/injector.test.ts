// `sidegate injector` as a process and in this one: what it answers over HTTPS, how it takes over files that change, and how it
// stops.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Pair } from '../../../src/kubernetes/injector/certificate-pair.ts'
import { readDefaults } from '../../../src/kubernetes/injector/defaults.ts'
import { valueAt } from '../../../src/kubernetes/manifests/nested-values.ts'
import { applied, reviewOf } from '../../support/admission-review.ts'
import { makeCertificates, type TestCertificates, type TestPair } from '../../support/certificates.ts'
import {
  fromPair,
  shownBy,
  startInjector,
  type TestInjector,
  type TestInjectorOptions,
} from '../../support/injector.ts'
import { podOf } from '../../support/pods.ts'
import { killProcesses, startProcess } from '../../support/process.ts'
import { sidegate } from '../../support/shell.ts'

let certificates: TestCertificates
let folder: string
beforeAll(() => {
  certificates = makeCertificates()
  folder = mkdtempSync(join(tmpdir(), 'sidegate-injector-'))
})
afterAll(() => {
  certificates.remove()
  rmSync(folder, { recursive: true })
})

/** One that Node reads and TLS refuses, of whatever version: with Node 22 it still takes 1,024 bits. */
function makeShortPair(): TestPair {
  const [certificateFile, keyFile] = [join(folder, 'short.crt'), join(folder, 'short.key')]
  const made = ['req', '-x509', '-newkey', 'rsa:512', '-nodes', '-days', '2', '-subj', '/CN=short']
  execFileSync('openssl', [...made, '-keyout', keyFile, '-out', certificateFile], { stdio: 'ignore' })
  const [certificate, privateKey] = [readFileSync(certificateFile, 'utf8'), readFileSync(keyFile, 'utf8')]
  return { certificateFile, keyFile, certificate, privateKey }
}

interface Answered {
  readonly status: number
  readonly text: string
}

function ask(port: number, method: string, path: string, body?: string): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, method, path, ca: certificates.authority, rejectUnauthorized: false, agent: false },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

const review = (port: number, pod: object) => ask(port, 'POST', '/inject', JSON.stringify(reviewOf(pod)))

describe('the injector', () => {
  const running: TestInjector[] = []
  async function start(options: Partial<TestInjectorOptions> = {}) {
    const injector = await startInjector({ source: fromPair(certificates), ...options })
    running.push(injector)
    return injector
  }
  afterEach(async () => {
    for (const injector of running.splice(0)) await injector.stop()
  })

  test('answers a review with the patch, and counts it', async () => {
    const { port } = await start()
    const { status, text } = await review(port, podOf('orders'))
    expect(status).toBe(200)
    const pod = applied(podOf('orders'), { answer: JSON.parse(text) as Record<string, unknown> })
    expect(valueAt(pod, 'spec', 'initContainers', 0, 'image')).toBe('registry.example.com/sidegate:1.2.3')
    await review(port, podOf('plain', {}, { labels: {} }))
    await review(port, podOf('wrong', {}, { annotations: { 'sidegate.dev/x': '' } }))
    const metrics = (await ask(port, 'GET', '/metrics')).text
    for (const result of ['injected', 'unchanged', 'refused'])
      expect(metrics).toContain(`sidegate_injector_reviews_total{result="${result}"} 1\n`)
    expect(metrics).toMatch(/^sidegate_injector_certificate_expiry_timestamp_seconds \d{10}$/m)
  })

  test.each([
    ['a body that is no JSON', 'POST', '/inject', '{', 400],
    ['a body that is no review', 'POST', '/inject', '{}', 400],
    ['a body that is too large', 'POST', '/inject', ' '.repeat(3 * 1024 * 1024 + 1), 413],
    ['another method', 'GET', '/inject', undefined, 405],
    ['another path', 'GET', '/', undefined, 404],
  ])('answers %s with an error, which lets no pod in', async (_name, method, path, body, status) => {
    const { port } = await start()
    expect(await ask(port, method, path, body)).toMatchObject({ status })
    expect(await review(port, podOf('orders'))).toMatchObject({ status: 200 })
  })

  test('holds no more than 32 MiB of reviews, whoever sends them, and answers again when they are gone', async () => {
    const { port } = await start()
    const target = { host: '127.0.0.1', port, method: 'POST', path: '/inject', rejectUnauthorized: false, agent: false }
    const slow = Array.from({ length: 12 }, () => {
      const sent = request({ ...target, headers: { 'content-length': 3 * 1024 * 1024 } })
      sent.on('error', () => {})
      sent.write(Buffer.alloc(3 * 1024 * 1024 - 1))
      return sent
    })
    const first = await Promise.race(
      slow.map((sent) => once(sent, 'response').then(([response]) => response as IncomingMessage)),
    )
    expect(first.statusCode).toBe(503)
    for (const sent of slow) sent.destroy()
    await vi.waitFor(async () => expect(await review(port, podOf('orders'))).toMatchObject({ status: 200 }), 10_000)
  })

  test('takes over a renewed certificate, and keeps the old one where the new one is none', async () => {
    const [certificateFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
    const put = (pair: { readonly certificateFile: string; readonly keyFile: string }) => {
      copyFileSync(pair.certificateFile, certificateFile)
      copyFileSync(pair.keyFile, keyFile)
    }
    put(certificates)
    const injector = await start({ source: fromPair({ ...certificates, certificateFile, keyFile }) })
    expect(await shownBy(injector)).toBe(certificates.certificate)
    const next = certificates.issue('next')
    copyFileSync(next.certificateFile, certificateFile)
    await injector.check()
    expect(await shownBy(injector)).toBe(certificates.certificate)
    expect(injector.lines.at(-1)?.[2]).toContain('the key does not belong to the certificate')
    put(next)
    await injector.check()
    expect(await shownBy(injector)).toBe(next.certificate)
  })

  test('keeps the certificate before one that TLS does not take, says why, and looks on', async () => {
    const [certificateFile, keyFile] = [join(folder, 'strict.crt'), join(folder, 'strict.key')]
    const put = (pair: { readonly certificateFile: string; readonly keyFile: string }) => {
      copyFileSync(pair.certificateFile, certificateFile)
      copyFileSync(pair.keyFile, keyFile)
    }
    put(certificates)
    const injector = await start({ source: fromPair({ ...certificates, certificateFile, keyFile }) })
    put(makeShortPair())
    await injector.check()
    expect(injector.lines.at(-1)?.[2]).toBe(
      `Cannot use "${certificateFile}" with "${keyFile}": TLS does not take it (ERR_SSL_EE_KEY_TOO_SMALL)`,
    )
    expect(await shownBy(injector)).toBe(certificates.certificate)
    const next = certificates.issue('after')
    put(next)
    await injector.check()
    expect(await shownBy(injector)).toBe(next.certificate)
  })

  test('survives a source that offers what cannot be shown, or throws at once, and is offered what it does not show again', async () => {
    const short = makeShortPair()
    const told: unknown[] = []
    let offer = (): { pair?: Pair } => ({ pair: short })
    const injector = await start({
      source: (shown) => {
        told.push(shown)
        return Promise.resolve(offer())
      },
    })
    await injector.check()
    expect(told).toEqual([undefined, undefined, undefined])
    expect(injector.lines.at(-1)?.[2]).toMatch(/^Cannot show the certificate: .*key too small/)
    offer = () => {
      throw new Error('A mistake')
    }
    await injector.check()
    expect(injector.lines.at(-1)?.[2]).toBe('Cannot look at what may have changed: A mistake')
    const { certificate, privateKey } = certificates
    offer = () => ({ pair: { certificate, privateKey } })
    await injector.check()
    expect(await shownBy(injector)).toBe(certificates.certificate)
    await injector.check()
    expect(told.at(-1)).toEqual({ certificate, privateKey })
  })

  test('lives without a certificate, and is not ready', async () => {
    const { port } = await start({ source: () => Promise.reject(new Error('There is none')) })
    expect(await ask(port, 'GET', '/livez')).toMatchObject({ status: 200 })
    const { status, text } = await ask(port, 'GET', '/readyz')
    expect([status, JSON.parse(text)]).toEqual([
      503,
      { ready: false, checks: { certificate: 'There is none yet', running: 'ok' } },
    ])
  })

  test('is ready with a certificate, until it expires or is not believed any more', async () => {
    let nowMs = Date.now()
    let missing: string | undefined
    const pair = { certificate: certificates.certificate, privateKey: certificates.privateKey }
    const injector = await start({ source: async () => ({ pair, missing }), clock: () => nowMs })
    const ready = async () => (await ask(injector.port, 'GET', '/readyz')).status
    expect(await ready()).toBe(200)
    missing = 'The authority is gone'
    await injector.check()
    expect(await ready()).toBe(503)
    missing = undefined
    await injector.check()
    expect(await ready()).toBe(200)
    nowMs += 3 * 86_400_000
    expect(await ready()).toBe(503)
  })

  test('takes over other defaults, also while there is trouble with the certificate, and keeps them where they break', async () => {
    let read = async () => ({ image: 'one', version: '1' })
    const source = () => Promise.reject(new Error('No answer'))
    const injector = await start({ source, readDefaults: () => read() })
    const image = async () => {
      const { text } = await review(injector.port, podOf('orders'))
      const pod = applied(podOf('orders'), { answer: JSON.parse(text) as Record<string, unknown> })
      return valueAt(pod, 'spec', 'initContainers', 0, 'image')
    }
    read = async () => ({ image: 'two', version: '1' })
    await injector.check()
    expect(await image()).toBe('two')
    read = () => Promise.reject(new Error('They are broken'))
    await injector.check()
    expect(await image()).toBe('two')
    expect(injector.lines.map(([, , message]) => message)).toContain('No answer. They are broken')
  })

  test('tells a trouble once, and when it is over', async () => {
    let isBroken = true
    const injector = await start({
      source: async () => {
        if (isBroken) throw new Error('No answer')
        return {}
      },
    })
    await injector.check()
    await injector.check()
    isBroken = false
    await injector.check()
    expect(injector.lines.map(([, , message]) => message)).toEqual([
      'The injector is running',
      'No answer',
      'Recovered',
    ])
  })
})

describe('the command', () => {
  afterAll(killProcesses)

  test.each([
    ['no certificate', [], 'A certificate is needed'],
    ['half of the files', ['--cert-file', 'a'], 'belong together'],
    ['both ways', ['--cert-file', 'a', '--key-file', 'b', '--secret', 'c'], 'Give either'],
    [
      'a place that is none',
      ['--cert-file', 'a', '--key-file', 'b', '--listen', '8443'],
      '--listen expects an address',
    ],
    [
      'an API server without TLS',
      ['--webhook', 'a', '--service', 'b', '--namespace', 'c', '--secret', 'd', '--api-server', 'http://x'],
      '--api-server expects',
    ],
  ])('says what is wrong with %s', async (_name, given, sentence) => {
    const { exitCode, text } = await sidegate(['injector', ...given])
    expect(exitCode).toBe(2)
    expect(text).toContain(sentence)
  })

  test('does not start with defaults that are not right', async () => {
    const defaults = join(folder, 'wrong.yaml')
    writeFileSync(defaults, 'imge: x\n')
    const given = [
      '--cert-file',
      certificates.certificateFile,
      '--key-file',
      certificates.keyFile,
      '--defaults',
      defaults,
    ]
    const { exitCode, text } = await sidegate(['injector', '--listen', '127.0.0.1:0', ...given])
    expect(exitCode).toBe(1)
    expect(text).toContain(`${defaults}:1:1: imge: Unknown name, did you mean "image"`)
  })

  test('answers until it has stopped after a signal', async () => {
    const defaults = join(folder, 'defaults.yaml')
    writeFileSync(
      defaults,
      'image: registry.example.com/sidegate:7\nlistenPort: 8081\nresources: { memoryLimit: 1Gi }\n',
    )
    const given = [
      '--cert-file',
      certificates.certificateFile,
      '--key-file',
      certificates.keyFile,
      '--defaults',
      defaults,
    ]
    const started = await startProcess(['injector', '--listen', '127.0.0.1:0', ...given], {}, 'The injector is running')
    const { text } = await review(started.port, podOf('orders'))
    const pod = applied(podOf('orders'), { answer: JSON.parse(text) as Record<string, unknown> })
    expect(valueAt(pod, 'spec', 'initContainers', 0)).toMatchObject({
      image: 'registry.example.com/sidegate:7',
      resources: { limits: { memory: '1Gi' } },
    })
    started.child.kill('SIGTERM')
    await expect.poll(() => started.output()).toContain('Told to stop')
    expect(await review(started.port, podOf('late'))).toMatchObject({ status: 200 })
    expect(await ask(started.port, 'GET', '/readyz')).toMatchObject({ status: 503 })
    expect(await started.exited).toBe(0)
  })
})

describe('the defaults', () => {
  test('hold what a pod may say of itself, and nothing for what is empty', () => {
    const text =
      'image: a/b:1\nimagePullPolicy: Always\nadminPort: 9091\nsecret: ""\nmode:\nresources:\n  cpuRequest: 1\n'
    expect(readDefaults(text, '1.2.3')).toEqual({
      defaults: {
        image: 'a/b:1',
        imagePullPolicy: 'Always',
        adminPort: 9091,
        resources: { cpuRequest: '1' },
        version: '1.2.3',
      },
      problems: [],
    })
  })

  test('tell all mistakes at once, with their places', () => {
    const text = 'listenPort: 0\nresources:\n  memory: 1Gi\nmode: [shadow]\nsecret: A\n'
    expect(readDefaults(text, '1.2.3').problems).toEqual([
      '1:1: listenPort: Expected a port such as "8081", got 0',
      '4:1: mode: Expected one of "enforce", "shadow"',
      '5:1: secret: Expected the name of a Secret, got "A"',
      '3:3: resources.memory: Unknown name, known are: cpuRequest, memoryRequest, memoryLimit',
    ])
  })

  test.each([
    ['a list', '- a'],
    ['no YAML', 'a: ['],
  ])('are not %s', (_name, text) => {
    expect(readDefaults(text, '1.2.3').problems).toHaveLength(1)
  })
})
