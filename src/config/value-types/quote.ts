// How does a message show a value that someone wrote? Quoted, short, on one line; never more of it than helps to find it.

import { visibleText } from '../../model/visible-text.ts'

const LONGEST = 80

/** The value as it could stand in the file: texts in quotes, lists and groups only by their kind. */
export function quote(value: unknown): string {
  if (typeof value === 'string') return oneLine(value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object' && value !== null) return 'a group'
  if (value === undefined) return 'nothing'
  return String(value)
}

/** JSON's escapes, and those of the characters that a terminal or a log viewer could act on. */
function oneLine(value: string): string {
  return visibleText(JSON.stringify(value))
}
