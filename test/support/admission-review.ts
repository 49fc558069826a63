// Reviews as an API server asks for them, and what becomes of the pod when the answer's patch is applied.
import type { Review } from '../../src/kubernetes/injector/review.ts'
import { isTree, type Tree, textAt, treeAt } from '../../src/kubernetes/manifests/nested-values.ts'

/** The review of a pod that is created in the namespace "shop", with members of the request replaced. */
export function reviewOf(pod: object, request: object = {}): Tree {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u-1',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'shop',
      operation: 'CREATE',
      object: pod,
      dryRun: false,
      ...request,
    },
  }
}

interface Operation {
  readonly op: string
  readonly path: string
  readonly value: unknown
}

/** The pod with the patch of the answer, whose operations all add members to maps. */
export function applied(pod: object, { answer }: Pick<Review, 'answer'>): Tree {
  const patch = Buffer.from(textAt(treeAt(answer, 'response'), 'patch') ?? '', 'base64').toString('utf8')
  const operations = patch === '' ? [] : (JSON.parse(patch) as readonly Operation[])
  return operations.reduce<Tree>((changed, { op, path, value }) => {
    if (op !== 'add') throw new Error(`Unknown operation ${op}`)
    return withMember(
      changed,
      path
        .slice(1)
        .split('/')
        .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~')),
      value,
    )
  }, pod as Tree)
}

function withMember(tree: Tree, [first = '', ...rest]: readonly string[], value: unknown): Tree {
  if (rest.length === 0) return { ...tree, [first]: value }
  const below = tree[first]
  if (!isTree(below)) throw new Error(`Nothing to add to at ${first}`)
  return { ...tree, [first]: withMember(below, rest, value) }
}
