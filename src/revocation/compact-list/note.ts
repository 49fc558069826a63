// How do the reason and the actor of a rule become one text? They usually repeat as a pair, so that one number stands for both.
import type { Rule } from '../rule/rule.ts'

type Notes = Pick<Rule, 'reason' | 'actor'>

const none: Notes = Object.freeze({ reason: undefined, actor: undefined })

/** One text of both, or undefined where there is neither. The length in front tells where the reason ends. */
export function writeNote({ reason, actor }: Notes): string | undefined {
  if (reason === undefined && actor === undefined) return undefined
  return `${reason === undefined ? '' : reason.length}:${reason ?? ''}${actor === undefined ? '' : `+${actor}`}`
}

/** Reads them back; of the empty text, neither. */
export function readNote(note: string): Notes {
  if (note === '') return none
  const colon = note.indexOf(':')
  const length = note.slice(0, colon)
  const end = colon + 1 + Number(length)
  return {
    reason: length === '' ? undefined : note.slice(colon + 1, end),
    actor: end === note.length ? undefined : note.slice(end + 1),
  }
}
