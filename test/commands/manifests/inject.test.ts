// `sidegate inject`, as a person types it: what goes to standard output, what is said beside it, and the exit code.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type Ran, sidegate } from '../../support/shell.ts'

const IMAGE = 'registry.example.com/sidegate:1.0.0'
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidegate-inject-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const workload = (kind: string, label = 'true') => {
  const pod = `metadata: { labels: { app: orders, sidegate.dev/inject: '${label}' } }
spec:
  containers:
    - { name: app, image: app, ports: [{ containerPort: 3000 }] } # the app
`
  const indented = (depth: number) => pod.replace(/^(?=.)/gm, ' '.repeat(depth))
  if (kind === 'Pod') return `kind: Pod\n${pod}`
  if (kind === 'CronJob')
    return `kind: CronJob\nmetadata: { name: orders }\nspec:\n  jobTemplate:\n    spec:\n      template:\n${indented(8)}`
  return `kind: ${kind}\nmetadata: { name: orders }\nspec:\n  template:\n${indented(4)}`
}
const service =
  'kind: Service\nmetadata: { name: orders }\nspec: { selector: { app: orders }, ports: [{ port: 80, targetPort: 3000 }] }\n'
const run = (input: string, ...more: readonly string[]): Promise<Ran> =>
  sidegate(['inject', '-f', '-', '--image', IMAGE, ...more], { input })

test('each kind of workload with the label gets the gate', async () => {
  for (const kind of ['Pod', 'Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob']) {
    const { exitCode, printed, complained } = await run(workload(kind))
    expect(exitCode, kind).toBe(0)
    expect(printed.join('\n'), kind).toContain(`image: ${IMAGE}`)
    expect(printed.join('\n'), kind).toContain('# the app')
    expect(complained.join('\n'), kind).toContain('1 workload has the gate')
  }
})

const placed = (head: string, pathToTemplate: readonly string[], label = 'true') => {
  const lines = pathToTemplate.map((step, depth) => `${'  '.repeat(depth)}${step}:\n`).join('')
  return `${head}\nmetadata: { name: orders }\n${lines}${workload('Pod', label)
    .replace('kind: Pod\n', '')
    .replace(/^(?=.)/gm, '  '.repeat(pathToTemplate.length))}`
}

test('a kind of another project whose pod template is where a Deployment has it gets the gate', async () => {
  for (const head of [
    'apiVersion: argoproj.io/v1alpha1\nkind: Rollout',
    'apiVersion: apps.kruise.io/v1alpha1\nkind: CloneSet',
  ]) {
    const { exitCode, printed } = await run(placed(head, ['spec', 'template']))
    expect([exitCode, printed.join('\n')], head).toEqual([0, expect.stringContaining(`image: ${IMAGE}`)])
  }
})

// holds: app-mounts-keys
test('a label where no gate can be put is reported, and nothing is written', async () => {
  const elsewhere: [input: string, said: string][] = [
    [placed('apiVersion: serving.knative.dev/v1\nkind: Service', ['spec', 'template']), 'Knative sends requests'],
    [placed('kind: JobSet', ['spec', 'replicatedJob', 'template']), 'spec.replicatedJob.template'],
    [placed('kind: PodTemplate', ['template']), 'PodTemplate/orders template'],
  ]
  for (const [input, said] of elsewhere) {
    const { exitCode, printed, complained } = await run(`${workload('Deployment')}---\n${input}`)
    expect([exitCode, printed], input).toEqual([1, []])
    expect(complained.join('\n')).toContain(said)
    expect((await run(`${workload('Deployment')}---\n${input.replace("'true'", "'false'")}`)).exitCode).toBe(0)
  }
})

test('a label on the workload in place of its pods is reported', async () => {
  const misplaced = workload('Job')
    .replace(", sidegate.dev/inject: 'true'", '')
    .replace('{ name: orders }', "{ name: orders, labels: { sidegate.dev/inject: 'true' } }")
  const { complained } = await run(`${workload('Deployment')}---\n${misplaced}`)
  expect(complained.join('\n')).toContain(
    'Job/orders metadata.labels["sidegate.dev/inject"]: The label is on the workload, where nothing reads it, and its pods get no gate. Put it on the pods: spec.template.metadata.labels',
  )
})

test('what was changed and why goes to standard error, and only the manifests to standard output', async () => {
  const { printed, complained } = await run(`${workload('Deployment')}---\n${service}`)
  expect(complained).toEqual([
    'Deployment/orders spec.template.spec.initContainers: Put the gate first, as a native sidecar: it has started before all others and stops after them',
    'Deployment/orders spec.template.spec.volumes: Give the gate its settings and keys, read-only, in one folder',
    'Deployment/orders spec.template.metadata.annotations["sidegate.dev/injected"]: Note which version wrote the gate',
    'warning: Deployment/orders spec.template.spec.containers[0].ports[0]: The app declares port 3000, as apps do that listen for everybody. Let it listen on 127.0.0.1 alone, then remove this',
    "Service/orders spec.ports[0].targetPort: Send to the gate's port 8080 in place of the app's 3000",
    '1 workload has the gate',
    'The ConfigMap "sidegate" with sidegate.yaml is not among these manifests; it has to be there before',
  ])
  expect(printed.join('\n')).toContain('targetPort: 8080')
})

test('a Service that names the port of the app, or names none, is turned to the gate too', async () => {
  const named = workload('Deployment').replace('containerPort: 3000', 'name: http, containerPort: 3000')
  for (const ports of ['{ port: 80, targetPort: http }', '{ port: 3000 }']) {
    const { printed } = await run(`${named}---\n${service.replace(/\{ port: 80.*?\}/, ports)}`)
    expect(printed.join('\n'), ports).toContain('targetPort: 8080')
  }
})

test('a Service of others, and one in another namespace, stays', async () => {
  const others = service.replace('app: orders', 'app: billing')
  const elsewhere = service.replace('name: orders', 'name: orders, namespace: other')
  const here = workload('Deployment').replace('{ name: orders }', '{ name: orders, namespace: shop }')
  const { printed } = await run(`${here}---\n${others}---\n${elsewhere}`)
  expect(printed.join('\n')).not.toContain('targetPort: 8080')
})

test('a Service that sends to pods without a gate as well is warned about', async () => {
  const { complained } = await run(
    `${workload('Deployment')}---\n${workload('StatefulSet', 'false').replace('name: orders', 'name: old')}---\n${service}`,
  )
  expect(complained.join('\n')).toContain(
    'warning: Service/orders spec.selector: It sends to the pods of StatefulSet/old',
  )
})

test('the flags say which image, ConfigMap and Secret', async () => {
  const { printed, complained } = await run(workload('Pod'), '--config-map', 'shop', '--secret', 'shop-keys')
  expect(parse(printed.join('\n'))).toMatchObject({
    spec: {
      initContainers: [{ image: IMAGE }],
      volumes: [{ projected: { sources: [{ configMap: { name: 'shop' } }, { secret: { name: 'shop-keys' } }] } }],
    },
  })
  expect(complained.join('\n')).toContain('The ConfigMap "shop"')
})

describe('files', () => {
  test('are written where --out or --in-place says, and twice is once', async () => {
    const [from, to] = [join(folder, 'deploy.yaml'), join(folder, 'out.yaml')]
    writeFileSync(from, workload('Deployment'))
    const first = await sidegate(['inject', '-f', from, '--image', IMAGE, '--out', to])
    expect([first.exitCode, first.printed]).toEqual([0, []])
    expect((await sidegate(['inject', '-f', from, '--image', IMAGE, '--in-place'])).exitCode).toBe(0)
    expect(readFileSync(from, 'utf8')).toBe(readFileSync(to, 'utf8'))
    const again = await sidegate(['inject', '-f', from, '--image', IMAGE, '--in-place'])
    expect(again.text).toContain('1 workload has the gate; nothing had to change')
    expect(readFileSync(from, 'utf8')).toBe(readFileSync(to, 'utf8'))
  })

  test('that cannot be read or written are told', async () => {
    const missing = await sidegate(['inject', '-f', join(folder, 'none.yaml'), '--image', IMAGE])
    expect([missing.exitCode, missing.text]).toEqual([1, expect.stringContaining('it does not exist')])
    const { exitCode, text } = await run(workload('Pod'), '--out', join(folder, 'none', 'out.yaml'))
    expect([exitCode, text]).toEqual([1, expect.stringContaining('Cannot write')])
  })
})

describe('nothing is written, and the answer is 1,', () => {
  test('where no workload has the label; --all takes every one that does not refuse', async () => {
    const input = `${workload('Deployment').replace(", sidegate.dev/inject: 'true'", '')}---\n${workload('Job', 'false')}`
    const none = await run(input)
    expect([none.exitCode, none.printed]).toEqual([1, []])
    expect(none.text).toContain('put the label sidegate.dev/inject: "true" on the pod template')
    const all = await run(input, '--all')
    expect([all.exitCode, all.text]).toEqual([0, expect.stringContaining('1 workload has the gate')])
  })

  test('where a pod cannot get what it asks for, with the place', async () => {
    const { exitCode, printed, complained } = await run(workload('Deployment').replaceAll('3000', '8080'))
    expect([exitCode, printed]).toEqual([1, []])
    expect(complained.join('\n')).toContain(
      'problem: Deployment/orders spec.template.metadata.annotations["sidegate.dev/listen-port"]: The app has port 8080',
    )
  })

  test('where another pod could get it: half of an input is none', async () => {
    const wrong = workload('Deployment').replaceAll('3000', '8080')
    const { exitCode, printed, complained } = await run(`${workload('StatefulSet')}---\n${wrong}`)
    expect([exitCode, printed]).toEqual([1, []])
    expect(complained.at(-1)).toBe('Nothing was written')
  })

  test('where nobody says which image', async () => {
    const { exitCode, text } = await sidegate(['inject', '-f', '-'], { input: workload('Pod') })
    expect([exitCode, text]).toEqual([1, expect.stringContaining('"sidegate.dev/image"')])
  })

  test('where the YAML is broken, with the place', async () => {
    const { exitCode, text } = await run('kind: Pod\nspec: [1\nx: 2\n')
    expect([exitCode, text]).toEqual([1, expect.stringContaining('standard input:3:1: Cannot read YAML')])
  })
})

test.each([
  ['without a file', ['inject']],
  ['with two targets', ['inject', '-f', 'x', '--out', 'y', '--in-place']],
  ['in place of standard input', ['inject', '-f', '-', '--in-place']],
])('%s the usage is wrong', async (_name, given) => {
  expect((await sidegate(given)).exitCode).toBe(2)
})
