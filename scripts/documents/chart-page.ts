// What does the README of the chart say? Its values with the comments of values.yaml, so that there is one text of them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from 'yaml'

const valuesFile = join(import.meta.dirname, '..', '..', 'helm', 'sidegate', 'values.yaml')

const introduction = `# The chart of Sidegate

<!-- Written by "npm run generate" from values.yaml. Changes here are lost. -->

Puts the gate in front of apps in a cluster. It works with Helm 3 and Helm 4, on Kubernetes 1.29 or later.

\`\`\`sh
helm install sidegate helm/sidegate --namespace sidegate --create-namespace \\
  --set injection.mode=webhook \\
  --set 'settings.issuers[0].issuer=https://id.example.com' \\
  --set 'settings.issuers[0].audiences[0]=orders' \\
  --set 'settings.issuers[0].keys.discovery=true' \\
  --set 'injection.namespaces={shop}'
\`\`\`

Pods in the namespace \`shop\` with the label \`sidegate.dev/inject: "true"\` then have the gate when they start. The
annotations of [deploy/README.md](../../deploy/README.md#sidegate-inject) say what is different in a pod.

| \`injection.mode\` | who puts the gate there | needs |
| --- | --- | --- |
| \`policy\` | the API server, by a MutatingAdmissionPolicy; nothing of ours runs | Kubernetes 1.36 |
| \`webhook\` | two injectors, which also warn of ways to bypass the gate | Kubernetes 1.29 |
| \`off\` | the chart of the app, by the templates \`sidegate.container\` and \`sidegate.volume\`, or \`sidegate inject\` | Kubernetes 1.29 |

With \`policy\` and \`webhook\` a pod with the label starts with the gate or not at all (\`failurePolicy: Fail\`); pods without
the label depend on nothing here. A bad annotation is refused with a sentence that says what is right. The policy leaves a
pod alone that has a container \`sidegate\` among its \`initContainers\`; the webhook brings it up to date.

The ConfigMap with the settings has the name of the release, with \`-sidegate\` behind it where that is not in it. It is in
the release's namespace and in each of \`injection.namespaces\`, as a pod mounts only those of its own.

The injector may read and write one Secret, its own, and read and patch one webhook configuration, its own. With
cert-manager it has no rights at all.

\`helm test sidegate -n sidegate\` starts a pod with the gate in the namespace of the release, which has to be among those of
\`injection.namespaceSelector\`, and waits until the gate is ready.

## Values

`

/** The text of the chart's README. */
export function chartPage(): string {
  const { contents } = parseDocument(readFileSync(valuesFile, 'utf8'))
  const lines = isMap(contents) ? rows(contents, '') : []
  const titles = ['Value', 'Default', 'Meaning']
  return (
    introduction +
    [titles, titles.map(() => '---'), ...lines]
      .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`)
      .join('')
  )
}

function rows(map: YAMLMap, prefix: string): readonly (readonly string[])[] {
  return map.items.flatMap((pair, index) => {
    if (!isScalar(pair.key)) return []
    const path = `${prefix}${String(pair.key.value)}`
    const comment = commentOf(pair, index === 0 ? map.commentBefore : undefined)
    // A map written on one line is one value.
    if (isMap(pair.value) && pair.value.flow !== true && !isSelector(pair.value)) {
      const heading = comment === '' ? [] : [[`\`${path}\``, '', comment]]
      return [...heading, ...rows(pair.value, `${path}.`)]
    }
    return [[`\`${path}\``, `\`${JSON.stringify(pair.value)}\``, comment]]
  })
}

function isSelector(map: YAMLMap): boolean {
  return map.has('matchExpressions')
}

function commentOf({ key }: Pair, first: string | null | undefined): string {
  const own = isScalar(key) ? key.commentBefore : undefined
  return (own ?? first ?? '').replaceAll(/\s*\n\s*/g, ' ').trim()
}
