// Does the Redis of the revocation list keep what it is told? Looks at the Redis workloads among the manifests: at what they
// are started with, and at the configuration files that they mount.
import { selects } from '../../injection/pod-dangers.ts'
import { listAt, type Tree, textAt, treeAt, treesAt } from '../../manifests/nested-values.ts'
import { shareNamespace, templateOf } from '../../manifests/workloads.ts'
import { ofKind, type PlacedObject, type Rule, type Survey, type Trouble } from '../survey.ts'

/** What can be wrong with the Redis of the list. */
export const redisRules: readonly Rule[] = [
  { name: 'redis-evicts', severity: 'error', find: (survey) => evicting(survey, true) },
  { name: 'some-redis-evicts', severity: 'warning', find: (survey) => evicting(survey, false) },
  { name: 'redis-not-durable', severity: 'warning', find: forgetful },
]

interface RedisContainer {
  readonly object: PlacedObject
  readonly path: string
  /** All that is said about how it runs, on lines. */
  readonly words: string
  /** True where a gate among the manifests names it; unknown where none names any Redis that is here. */
  readonly isOurs: boolean | undefined
}

function redisContainers(survey: Survey): readonly RedisContainer[] {
  return survey.objects.flatMap((object) => {
    const place = templateOf(object.value)
    if (place === undefined) return []
    const { template, path } = place
    return treesAt(template, 'spec', 'containers').flatMap((container, index) => {
      const image = textAt(container, 'image') ?? ''
      if (!/(^|\/)(redis|valkey)(-server)?(:|@|$)/.test(image)) return []
      return [
        {
          object,
          path: [...path, `spec.containers[${index}]`].join('.'),
          words: wordsOf(container, object, template, survey),
          isOurs: isOurs(object, template, survey),
        },
      ]
    })
  })
}

function wordsOf(container: Tree, object: PlacedObject, template: Tree, survey: Survey): string {
  const command = [...listAt(container, 'command'), ...listAt(container, 'args')].filter(
    (word) => typeof word === 'string',
  )
  const names = treesAt(template, 'spec', 'volumes').flatMap((volume) => [
    textAt(volume, 'configMap', 'name'),
    ...treesAt(volume, 'projected', 'sources').map((source) => textAt(source, 'configMap', 'name')),
  ])
  const files = ofKind(survey, 'ConfigMap')
    .filter(({ value }) => names.includes(textAt(value, 'metadata', 'name')) && shareNamespace(value, object.value))
    .flatMap(({ value }) => Object.values(treeAt(value, 'data')).filter((text) => typeof text === 'string'))
  return [command.join(' ').replaceAll(' --', '\n'), ...files].join('\n')
}

/** By the Services that lead to it: is one of them the host that a gate names? */
function isOurs(object: PlacedObject, template: Tree, survey: Survey): boolean | undefined {
  const hosts = survey.guarded.flatMap(({ settings }) => settings?.redisHost ?? [])
  const services = ofKind(survey, 'Service')
  const names = (list: readonly PlacedObject[]) => list.map(({ value }) => textAt(value, 'metadata', 'name') ?? '')
  const isNamed = (name: string) => hosts.some((host) => host === name || host.startsWith(`${name}.`))
  if (!names(services).some(isNamed)) return undefined
  return names(services.filter(({ value }) => shareNamespace(value, object.value) && selects(value, template))).some(
    isNamed,
  )
}

/** The last value of a directive, as Redis takes it. */
function directive(words: string, name: string): string | undefined {
  return [...words.matchAll(new RegExp(`^\\s*(?:--)?${name}\\s+["']?([\\w-]+)`, 'gm'))].at(-1)?.[1]
}

function* evicting(survey: Survey, areOurs: boolean): Generator<Trouble> {
  for (const { object, path, words, isOurs: ours } of redisContainers(survey)) {
    const policy = directive(words, 'maxmemory-policy')
    if (policy === undefined || policy === 'noeviction' || ours === false || (ours === true) !== areOurs) continue
    yield {
      object,
      path,
      message: `With maxmemory-policy ${policy} this Redis throws revocations away when its memory is full`,
      mend: areOurs
        ? 'Set maxmemory-policy to noeviction'
        : 'Set it to noeviction if this is the Redis of the revocation list',
    }
  }
}

function* forgetful(survey: Survey): Generator<Trouble> {
  for (const { object, path, words, isOurs: ours } of redisContainers(survey)) {
    if (ours === false || directive(words, 'appendonly') === 'yes') continue
    yield {
      object,
      path,
      message:
        'Without appendonly this Redis loses revocations when it restarts, until a running gate writes them back',
      mend: 'Set appendonly to yes and appendfsync to always, on a volume that lasts',
    }
  }
}
