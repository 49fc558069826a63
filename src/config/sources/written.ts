// What do the settings say, as they were written? They may be wrong in any way, so every look into them says what it wants and
// answers nothing where something else is there.

/** What is at the path; undefined where there is nothing. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let part = root
  for (const step of path) {
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, step)) return undefined
    part = (part as Record<PropertyKey, unknown>)[step]
  }
  return part
}

/** The items of the list at the path; none where there is no list. */
export function itemsAt(root: unknown, path: readonly PropertyKey[]): readonly unknown[] {
  const value = valueAt(root, path)
  return Array.isArray(value) ? value : []
}
