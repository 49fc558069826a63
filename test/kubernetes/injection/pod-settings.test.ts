// What a pod says about its gate, and what is said about its mistakes.
import { describe, expect, test } from 'vitest'
import { readPodSettings, refusesGate, wantsGate } from '../../../src/kubernetes/injection/pod-settings.ts'
import { appTemplate, gateDefaults } from '../../support/pods.ts'
import { configOf, issuersLine } from '../../support/settings.ts'
import { read } from '../../support/ways.ts'

const annotated = (annotations: object) => readPodSettings(appTemplate({}, { annotations }), gateDefaults)
const messagesOf = (annotations: object) =>
  annotated(annotations).problems.map(({ path, message }) => `${path}: ${message}`)

test('a pod without annotations gets the defaults, and the first port of its first container', () => {
  const { settings, problems, warnings } = readPodSettings(appTemplate(), gateDefaults)
  expect(settings).toMatchObject({ image: 'registry.example.com/sidegate:1.2.3', upstream: 'http://127.0.0.1:3000' })
  expect([...problems, ...warnings]).toEqual([])
})

test('every annotation says one thing', () => {
  const { settings, isRewritingProbes, problems } = annotated({
    'sidegate.dev/upstream': 'http://127.0.0.1:4000',
    'sidegate.dev/listen-port': '8081',
    'sidegate.dev/admin-port': '9091',
    'sidegate.dev/config': 'orders-settings',
    'sidegate.dev/secret': 'orders-keys',
    'sidegate.dev/image': 'registry.example.com/sidegate@sha256:abc',
    'sidegate.dev/mode': 'shadow',
    'sidegate.dev/log-level': 'warn',
    'sidegate.dev/cpu-request': '50m',
    'sidegate.dev/memory-request': '96Mi',
    'sidegate.dev/memory-limit': '192Mi',
    'sidegate.dev/rewrite-probes': 'false',
    'sidegate.dev/injected': '1.0.0',
    'prometheus.io/scrape': 'true',
  })
  expect(problems).toEqual([])
  expect(isRewritingProbes).toBe(false)
  expect(settings).toMatchObject({
    upstream: 'http://127.0.0.1:4000',
    listenPort: 8081,
    adminPort: 9091,
    configMap: 'orders-settings',
    secret: 'orders-keys',
    image: 'registry.example.com/sidegate@sha256:abc',
    mode: 'shadow',
    logLevel: 'warn',
    resources: { cpuRequest: '50m', memoryRequest: '96Mi', memoryLimit: '192Mi' },
  })
})

test.each([
  [
    'an unknown annotation is told with the nearest one',
    'upstreem',
    'http://127.0.0.1:1',
    'did you mean "sidegate.dev/upstream"',
  ],
  ['an unknown annotation that is near none is told with all', 'zzzzzzzz', '1', 'known are: sidegate.dev/upstream'],
  ['the label among the annotations is told to move', 'inject', 'true', 'move it to the labels'],
  ['an app elsewhere is no app of this pod', 'upstream', 'http://orders:3000', 'Expected where the app listens'],
  [
    'an address that only looks like this machine is none',
    'upstream',
    'http://127.0.0.1.evil.example:3000',
    'Expected',
  ],
  ['an upstream has no path', 'upstream', 'http://127.0.0.1:3000/x', 'Expected'],
  ['a port is a number', 'listen-port', 'http', 'Expected a port such as "8081", got "http"'],
  ['a port is not larger than they go', 'admin-port', '70000', 'Expected a port'],
  ['a value has to be a text', 'listen-port', 8081, 'as a text in quotes'],
  ['a mode is one of two', 'mode', 'Shadow', 'Expected one of "enforce", "shadow", got "Shadow"'],
  ['a quantity is one of Kubernetes', 'memory-limit', '256MB', 'Expected a quantity'],
  ['a name is one of Kubernetes', 'config', 'My Settings', 'Expected the name of a ConfigMap'],
])('%s', (_name, annotation, value, expected) => {
  const messages = messagesOf({ [`sidegate.dev/${annotation}`]: value })
  expect(messages).toHaveLength(1)
  expect(messages[0]).toContain(`metadata.annotations["sidegate.dev/${annotation}"]: `)
  expect(messages[0]).toContain(expected)
})

test.each([
  ['app and gate', '8080', {}, 'set "sidegate.dev/listen-port" to "8081"'],
  ['app and admin port', '9090', {}, 'set "sidegate.dev/admin-port" to "9091"'],
  ['gate and admin port', '3000', { 'sidegate.dev/listen-port': '9090' }, 'port 9090 for requests and for its probes'],
])('%s cannot have one port', (_name, app, more, expected) => {
  const messages = messagesOf({ 'sidegate.dev/upstream': `http://127.0.0.1:${app}`, ...more })
  expect(messages.join()).toContain(expected)
})

test('a pod for which no image is known is a problem', () => {
  const { problems } = readPodSettings(appTemplate(), { version: '1.2.3' })
  expect(problems).toMatchObject([{ message: expect.stringContaining('"sidegate.dev/image"') }])
})

test('where an app declares no port, the settings say where it listens, with a warning', () => {
  const { settings, upstream, warnings } = readPodSettings(appTemplate({ containers: [{ name: 'app' }] }), gateDefaults)
  expect(settings.upstream).toBeUndefined()
  expect(upstream.port).toBe(3000)
  expect(warnings).toMatchObject([{ message: expect.stringContaining('"sidegate.dev/upstream"') }])
})

test('a gate that is there keeps its upstream when the app no longer declares its port', () => {
  const gate = { name: 'sidegate', env: [{ name: 'SIDEGATE_UPSTREAM', value: 'http://127.0.0.1:4000' }] }
  const { settings, warnings } = readPodSettings(
    appTemplate({ initContainers: [gate], containers: [{ name: 'app' }] }),
    gateDefaults,
  )
  expect(settings.upstream).toBe('http://127.0.0.1:4000')
  expect(warnings).toEqual([])
})

describe('the label', () => {
  const labelled = (value: unknown) => ({ metadata: { labels: { 'sidegate.dev/inject': value } } })

  test('asks for the gate only with the text "true"', () => {
    expect(['true', true, 'yes', '', undefined].map((value) => wantsGate(labelled(value)))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ])
    expect(refusesGate(labelled('false'))).toBe(true)
  })

  test('with another value, or another name below sidegate.dev/, is a problem', () => {
    const problemsOf = (labels: object) => readPodSettings(appTemplate({}, { labels }), gateDefaults).problems
    expect(problemsOf({ 'sidegate.dev/inject': 'yes' })).toMatchObject([{ message: expect.stringContaining('"true"') }])
    expect(problemsOf({ 'sidegate.dev/mode': 'shadow' })).toMatchObject([
      { message: expect.stringContaining('annotations') },
    ])
  })
})

test('a template of any shape is read without an exception', () => {
  for (const template of [
    {},
    { spec: null },
    { metadata: [], spec: { containers: 'app' } },
    { spec: { containers: [1, null] } },
  ])
    expect(() => readPodSettings(template, gateDefaults)).not.toThrow()
})

test('what the annotations take for mode and log level, the settings take too', () => {
  for (const mode of ['enforce', 'shadow']) expect(configOf(`mode: ${mode}\n${issuersLine}`).mode).toBe(mode)
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    expect(configOf(`log: { level: ${level} }\n${issuersLine}`).log.level).toBe(level)
})

test('deploy/README.md explains every annotation, and no other', () => {
  const known = messagesOf({ 'sidegate.dev/zzzzzzzz': '' })[0]?.split('known are: ')[1]?.split(', ')
  const explained = [...read('deploy/README.md').matchAll(/^\| `(sidegate\.dev\/[a-z-]+)`/gm)].map(([, name]) => name)
  expect(explained).toEqual(known)
})
