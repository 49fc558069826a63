// What do the Secrets among the manifests hold? Answers the text of a file that a gate reads from one. Prints nothing of it.

import { textAt } from '../manifests/nested-values.ts'
import { shareNamespace } from '../manifests/workloads.ts'
import type { PlacedObject } from './survey.ts'

/** Where the volume of the gate is. */
const FOLDER = /^\/etc\/sidegate\/([^/]+)$/

/**
 * The text of a file of the gate of this object, without the line break at its end; undefined where no Secret here has it, or
 * several have it and differ.
 */
export function secretText(objects: readonly PlacedObject[], object: PlacedObject, path: string): string | undefined {
  const name = FOLDER.exec(path)?.[1]
  if (name === undefined) return undefined
  const texts = objects
    .filter(({ value }) => value.kind === 'Secret' && shareNamespace(value, object.value))
    .flatMap(({ value }) => {
      const encoded = textAt(value, 'data', name)
      return textAt(value, 'stringData', name) ?? (encoded === undefined ? [] : decode(encoded))
    })
  const [first] = texts
  return first === undefined || texts.some((text) => text !== first) ? undefined : first.replace(/\r?\n$/, '')
}

function decode(encoded: string): string {
  return Buffer.from(encoded, 'base64').toString('utf8')
}
