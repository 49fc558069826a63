// What can be said about settings that are partly wrong? Takes out what was refused, so that the rules between settings
// see only values that are right, and keeps the names, so that "given, but wrong" is not taken for "absent".
import type * as z from 'zod'
import type { Config } from '../options.ts'

/** A value of which any part may be missing, because it was wrong. */
export type Draft<T> = T extends readonly (infer Item)[]
  ? readonly (Draft<Item> | undefined)[]
  : T extends object
    ? { readonly [Name in keyof T]?: Draft<T[Name]> | undefined }
    : T

/** The value without the parts that the issues are about. */
export function draftOf(value: unknown, issues: readonly z.core.$ZodRawIssue[]): Draft<Config> {
  const copy: unknown = structuredClone(value)
  for (const issue of issues) {
    const path = issue.path ?? []
    if (issue.code === 'unrecognized_keys') for (const name of issue.keys as string[]) remove(copy, path, name)
    else blank(copy, path)
  }
  return copy as Draft<Config>
}

function blank(root: unknown, path: readonly PropertyKey[]): void {
  const parent = partAt(root, path.slice(0, -1))
  const last = path.at(-1)
  if (parent !== undefined && last !== undefined && Object.hasOwn(parent, last)) parent[last] = undefined
}

function remove(root: unknown, path: readonly PropertyKey[], name: string): void {
  const parent = partAt(root, path)
  if (parent !== undefined) delete parent[name]
}

function partAt(root: unknown, path: readonly PropertyKey[]): Record<PropertyKey, unknown> | undefined {
  let part: unknown = root
  for (const step of path) {
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, step)) return undefined
    part = (part as Record<PropertyKey, unknown>)[step]
  }
  return typeof part === 'object' && part !== null ? (part as Record<PropertyKey, unknown>) : undefined
}
