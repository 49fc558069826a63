// What an API server takes, as JSON Schemas in the form that kubeconform reads: one file for each kind, and nothing in an
// object that its schema does not know.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isTree, type Tree, textAt, treeAt, treesAt } from '../../src/kubernetes/manifests/nested-values.ts'
import type { Cluster } from './cluster.ts'

/** Writes the schemas of all kinds into the folder. Answers the names of the files. */
export async function writeSchemas(cluster: Cluster, folder: string): Promise<readonly string[]> {
  mkdirSync(folder, { recursive: true })
  const { body } = await cluster.ask('GET', '/openapi/v3')
  const written: string[] = []
  for (const version of Object.values(treeAt(body, 'paths'))) {
    const document = (await cluster.ask('GET', textAt(version, 'serverRelativeURL') ?? '/')).body
    const schemas = treeAt(strict(document), 'components', 'schemas')
    for (const [name, schema] of Object.entries(schemas)) {
      const [{ group, version: apiVersion, kind } = {}, ...more] = treesAt(schema, 'x-kubernetes-group-version-kind')
      // Options of requests are of many groups, and nobody writes them down.
      if (typeof kind !== 'string' || more.length > 0) continue
      const [first] = String(group).split('.')
      const file = `${[kind, first, apiVersion]
        .filter((part) => part !== '')
        .join('-')
        .toLowerCase()}.json`
      writeFileSync(
        join(folder, file),
        JSON.stringify({ $ref: `#/components/schemas/${name}`, components: { schemas } }),
      )
      written.push(file)
    }
  }
  return written
}

/** The schemas with no room for unknown members. */
function strict(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strict)
  if (!isTree(value)) return value
  const inner: Tree = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, strict(part)]))
  const isClosed = isTree(value.properties) && value.type === 'object' && value.additionalProperties === undefined
  return isClosed ? { ...inner, additionalProperties: false } : inner
}
