// What does a person read who typed something wrong? One line that names the mistake and what was probably meant. It must
// never repeat a token or a password that stands in the wrong place: terminals and pipelines keep what they show.
import { closestMatch } from 'leven'
import { namedRows } from '../config/sources/flags.ts'
import { UsageError } from './shell.ts'

/** What was typed, and the flags that the command knows. */
export interface Typed {
  readonly given: readonly string[]
  readonly flags: readonly string[]
}

/** Turns what yargs says into one line of our own; what is not known here stays as yargs says it, values hidden. */
export function usageMessage(message: string, typed: Typed): string {
  const said = (pattern: RegExp) => pattern.exec(message)?.slice(1).map(String)
  const unknown = said(/^Unknown arguments?: (.*)$/s)
  if (unknown !== undefined) return unknownMessage(unknown[0]?.split(', ') ?? [], typed)
  const missing = said(/^Missing required arguments?: ([^\n]*)/)
  if (missing !== undefined) return `Missing ${missing[0]?.split(', ').map(asFlag).join(', ')}`
  const valueless = said(/^Not enough arguments following: (.*)$/)
  if (valueless !== undefined)
    return `${asFlag(valueless[0] ?? '')} needs a value; one that begins with a dash goes after "="`
  const few = said(/^Not enough non-option arguments: got (\d+), need at least (\d+)$/)
  if (few !== undefined) return `Missing argument: got ${few[0]}, need ${few[1]}`
  const choice = said(/^Invalid values:\s+Argument: (\S+), Given: "(.*)", Choices: (.*)$/s)
  if (choice !== undefined) return choiceMessage(choice, typed)
  const both = said(/^Arguments (\S+) and (\S+) are mutually exclusive$/)
  if (both !== undefined) return `Give ${asFlag(both[0] ?? '')} or ${asFlag(both[1] ?? '')}, not both`
  return message
}

/** Refuses a flag that is given twice: the first value would be passed over without a word. */
export function refuseRepeated(values: object, lists: readonly string[]): void {
  // A setting that is given twice is told by the settings, together with everything else that is wrong with them.
  const allowed = new Set(['_', ...lists, ...namedRows.map(({ flag }) => flag)])
  for (const [name, value] of Object.entries(values))
    if (Array.isArray(value) && isFlagName(name) && !allowed.has(name))
      throw new UsageError(`${asFlag(name)} is given ${value.length} times; give it once`)
}

function unknownMessage(names: readonly string[], { given, flags }: Typed): string {
  const isTypedFlag = (name: string) =>
    given.some((text) => text === `--${name}` || text === `-${name}` || text.startsWith(`--${name}=`))
  // yargs names a flag in each of its spellings: only what was typed is told.
  const [first] = names.filter((name) => isTypedFlag(name) || given.includes(name))
  if (first === undefined) return 'Too many arguments'
  if (!isTypedFlag(first)) return unexpectedValue(first)
  const near = first.length < 3 ? undefined : closestMatch(first, flags.filter(isFlagName), { maxDistance: 3 })
  return `Unknown flag ${showable(asFlag(first))}${near === undefined ? '' : `, did you mean ${asFlag(near)}`}`
}

function unexpectedValue(text: string): string {
  if (looksLikeToken(text)) return 'There is a token where none is expected; "revoke" takes it by --token'
  return `Unexpected argument ${showable(JSON.stringify(text))}`
}

function choiceMessage([name = '', value = '', choices = '']: readonly string[], { given }: Typed): string {
  const isFlag = given.some((text) => text === `--${name}` || text.startsWith(`--${name}=`))
  const known = choices.replaceAll('"', '')
  return `Expected ${isFlag ? asFlag(name) : `<${name}>`} to be one of ${known}, got ${showable(JSON.stringify(value))}`
}

/** Tells whether a text could be a JWT. */
export function looksLikeToken(text: string): boolean {
  return /^eyJ[\w-]*\.[\w-]*/.test(text)
}

/** A short plain word may be shown; anything else could be a token, or a URL with a password. */
function showable(text: string): string {
  return /^"?[\w./-]{1,48}"?$/.test(text) && !looksLikeToken(text.replace(/^"/, '')) ? text : '(not shown here)'
}

function asFlag(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`
}

/** `key-id`, but not the alias `c` and not the spelling `keyId`. */
function isFlagName(name: string): boolean {
  return /^[a-z][a-z0-9-]+$/.test(name)
}
