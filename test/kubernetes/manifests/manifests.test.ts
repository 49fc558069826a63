// A text before and after: what does not change keeps its comments, its order and its layout.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { injectObjects } from '../../../src/kubernetes/injection/inject-objects.ts'
import { readManifests } from '../../../src/kubernetes/manifests/manifests.ts'
import { gateDefaults } from '../../support/pods.ts'

const injectText = (text: string) => {
  const manifests = readManifests(text)
  expect(manifests.troubles).toEqual([])
  const options = { defaults: gateDefaults, isForAll: false }
  const injected = injectObjects(
    manifests.objects.map(({ value }) => value),
    options,
  )
  return { ...manifests.withObjects(injected.objects), ...injected }
}

/** The lines that are in one and not in the other, in their order. */
const removedLines = (before: string, after: string) => {
  const left = after.split('\n')
  return before.split('\n').filter((line) => {
    const at = left.indexOf(line)
    if (at === -1) return true
    left.splice(at, 1)
    return false
  })
}

const deployment = `# The orders of the shop.
apiVersion: apps/v1
kind: Deployment
metadata:
    name: orders   # four blanks, and a comment
spec:

    replicas: 2
    template:
        metadata:
            labels: { app: orders, "sidegate.dev/inject": 'true' }
        spec:
            # What runs.
            containers:
              - name: app
                image: "registry.example.com/orders:1"
                command: [ "run" ,'--fast' ]
                ports:
                - containerPort: 3000   # the app
                readinessProbe: { httpGet: { path: /health, port: 3000 }, periodSeconds: 5 }
                livenessProbe:
                    tcpSocket:
                        port: 3000
                    periodSeconds: 20   # slow
            terminationGracePeriodSeconds: 40
---
apiVersion: v1
kind: Service
metadata: {name: orders}
spec:
  selector: {app: orders}
  ports:
  - port: 80
    targetPort: 3000  # the app
    name: http
`

describe('a text that gets a gate', () => {
  const { text, reformatted, objects } = injectText(deployment)

  test('says what was meant', () => {
    expect(parseAllDocuments(text).map((document) => document.toJS() as unknown)).toEqual(objects)
    expect(reformatted).toEqual([])
  })

  test('loses only the lines that say something else now', () => {
    expect(removedLines(deployment, text)).toEqual([
      '                readinessProbe: { httpGet: { path: /health, port: 3000 }, periodSeconds: 5 }',
      '                    tcpSocket:',
      '                        port: 3000',
      '    targetPort: 3000  # the app',
    ])
  })

  test('keeps the comment behind a value that changes', () => {
    expect(text).toContain('    targetPort: 8080  # the app\n')
  })

  test('is as it is when it goes through again', () => {
    const again = injectText(text)
    expect(again.text).toBe(text)
    expect(again.reports.flatMap(({ changes }) => changes)).toEqual([])
  })
})

test('a text in which nothing wants a gate is given back byte for byte', () => {
  const text = `# only this\r\na:   1\n\n---\n\n---\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [ {name: a} ]}\n...\n`
  expect(injectText(text).text).toBe(text)
})

test.each([
  ['every line ends as in Windows', deployment.replaceAll('\n', '\r\n')],
  ['the last line has no end', deployment.trimEnd()],
  ['there is no blank line and no comment', deployment.replaceAll(/^\n|^ *#.*\n| +#.*$/gm, '')],
  [
    'lists are indented',
    deployment.replace(/^ {16}- containerPort: 3000.*$/m, '                  - containerPort: 3000'),
  ],
  [
    'there is an empty list in the place of a gate',
    deployment.replace('            containers:', '            initContainers: []\n            containers:'),
  ],
  [
    'there is nothing in that place',
    deployment.replace('            containers:', '            initContainers:\n            containers:'),
  ],
  [
    'there are others already',
    deployment.replace(
      '            containers:',
      '            initContainers:\n            - name: migrate\n              args: ["a", b]\n            # after\n            containers:',
    ),
  ],
  [
    'a text with several lines stands at the end',
    deployment.replace(
      'command: [ "run" ,\'--fast\' ]',
      'args:\n                  - |\n                    one\n                    two',
    ),
  ],
  [
    'annotations are there',
    deployment.replace(
      '            labels: {',
      '            annotations:\n                a: b   # why\n            labels: {',
    ),
  ],
])('all of it is kept where %s', (_name, given) => {
  const { text, reformatted, objects } = injectText(given)
  expect(reformatted).toEqual([])
  expect(readManifests(text).objects.map(({ value }) => value)).toEqual(objects)
  expect(injectText(text).text).toBe(text)
})

test('a List is changed item by item', () => {
  const [first = '', second = ''] = deployment.split('---\n')
  const item = (text: string) =>
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line, index) => (index === 0 ? `- ${line}` : `  ${line}`))
      .join('\n')
  const list = `apiVersion: v1\nkind: List\nitems:\n${item(first)}\n${item(second)}\n`
  const { text, reformatted, gates } = injectText(list)
  expect(gates).toBe(1)
  expect(reformatted).toEqual([])
  expect(text).toContain('targetPort: 8080  # the app')
})

test('JSON stays JSON', () => {
  const [value] = readManifests(deployment).objects.map((object) => object.value)
  const { text } = injectText(JSON.stringify(value, null, 2))
  expect(JSON.parse(text)).toMatchObject({ spec: { template: { spec: { initContainers: [{ name: 'sidegate' }] } } } })
})

test('where anchors hinder it the document is written anew, which is told', () => {
  const shared = `kind: Deployment
metadata: { name: a }
spec:
  template: &pod
    metadata: { labels: { 'sidegate.dev/inject': 'true' } }
    spec: { containers: [{ name: app, ports: [{ containerPort: 3000 }] }] }
other: *pod
`
  const { text, reformatted, objects } = injectText(`# first\na: 1\n---\n${shared}`)
  expect(reformatted).toEqual([4])
  expect(text.startsWith('# first\na: 1\n---\n')).toBe(true)
  expect(readManifests(text).objects.map(({ value }) => value)).toEqual(objects)
})

test('what kubectl reads as something else than a text is put in quotes', () => {
  const pod = (words: string) =>
    `kind: Pod\nmetadata: { labels: { sidegate.dev/inject: 'true' }, annotations: { sidegate.dev/config: ${words} } }
spec:
  containers: [{ name: app, ports: [{ containerPort: 3000 }], readinessProbe: { httpGet: { port: 3000 } } }]\n`
  expect(injectText(pod("'on'")).text).toMatch(/name: "on"$/m)
  expect(readManifests('mode: 0644\non: yes\n').objects[0]?.value).toEqual({ mode: 420, true: true })
})

test('the example of this repository keeps every comment', () => {
  const given = readFileSync(join(import.meta.dirname, '../../../deploy/example/app.yaml'), 'utf8').replace(
    '      labels: { app.kubernetes.io/name: orders }\n    spec:',
    "      labels: { app.kubernetes.io/name: orders, sidegate.dev/inject: 'true' }\n    spec:",
  )
  const { text, reformatted } = injectText(given)
  expect(reformatted).toEqual([])
  const comments = (yaml: string) => [...yaml.matchAll(/#.*/g)].map(String)
  expect(comments(text)).toEqual(comments(given))
})

describe('a text that cannot be read', () => {
  test('is told with its place', () => {
    expect(readManifests('a: 1\n---\nb: [1\nc: 2\n').troubles[0]).toMatchObject({ line: 4 })
  })

  test('that is a template is told how to render it', () => {
    expect(readManifests('a: {{ .Values.x }}\nb: {{- if }}\n').troubles[0]?.message).toContain('helm template')
  })

  test('whose aliases stand for too much is refused', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let n = 1; n < 9; n++)
      lines.push(
        `a${n}: &a${n} [${Array(10)
          .fill(`*a${n - 1}`)
          .join(', ')}]`,
      )
    expect(readManifests(lines.join('\n')).troubles[0]?.message).toContain('aliases')
  })
})
