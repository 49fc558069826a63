// What does a manifest hold? Anybody may have written it, so every look into it says what it wants and answers nothing
// where the manifest has something else there.

/** A map of a manifest. */
export type Tree = Readonly<Record<string, unknown>>

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What stands at the path, whatever it is; a number is a place in a list. */
export function valueAt(root: unknown, ...path: readonly (string | number)[]): unknown {
  let value = root
  for (const step of path) {
    if (Array.isArray(value)) value = typeof step === 'number' ? value[step] : undefined
    else value = isTree(value) && Object.hasOwn(value, step) ? value[step] : undefined
  }
  return value
}

/** The map at the path, an empty one where there is none. */
export function treeAt(root: unknown, ...path: readonly (string | number)[]): Tree {
  const value = valueAt(root, ...path)
  return isTree(value) ? value : {}
}

/** The maps of the list at the path; what else is in it is left out. */
export function treesAt(root: unknown, ...path: readonly (string | number)[]): readonly Tree[] {
  return listAt(root, ...path).filter(isTree)
}

/** The list at the path, an empty one where there is none. */
export function listAt(root: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const value = valueAt(root, ...path)
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

/** The text at the path. */
export function textAt(root: unknown, ...path: readonly (string | number)[]): string | undefined {
  const value = valueAt(root, ...path)
  return typeof value === 'string' ? value : undefined
}

/** Something to say about a manifest: where, and what. */
export interface Remark {
  /** `spec.containers[0].ports[0]`, from the object or the pod template that is spoken about. */
  readonly path: string
  readonly message: string
}
