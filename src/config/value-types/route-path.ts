// What may be the path of a route? An exact path, `{name}` for one segment, `/*` at the end. Whatever another router would
// read as a pattern is refused with what it is here: a route that never matches leaves its path to the routes behind it.

import { quote } from './quote.ts'
import { textKind, unexpected } from './value-types.ts'

const EXPECTS = 'a path such as "/healthz", "/admin/*" or "/users/{id}"'

/** A reason, and what was probably meant. */
type Trouble = readonly [reason: string, hint?: string | undefined]

/** The path of a route. The value is decoded, as the path of a request is when it is matched. */
export function routePath() {
  return textKind<string>({
    kind: 'path',
    expects: EXPECTS,
    parse(text, reject) {
      const trouble = pathTrouble(text)
      return trouble === undefined
        ? decodeURIComponent(text)
        : reject(`${unexpected(EXPECTS, text)}: ${trouble[0]}`, trouble[1])
    },
  })
}

/** Why a path could be read in two ways or can never match, and what was probably meant. */
function pathTrouble(text: string): Trouble | undefined {
  return (
    startTrouble(text) ??
    regexTrouble(text) ??
    otherRouterTrouble(text) ??
    queryTrouble(text) ??
    encodingTrouble(text) ??
    braceTrouble(text) ??
    starTrouble(text)
  )
}

const didYouMean = (path: string) => `did you mean ${quote(path)}`

function startTrouble(text: string): Trouble | undefined {
  if (text.startsWith('/')) return undefined
  const reason = 'it does not begin with "/"'
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol))
    return [reason, didYouMean(text.replace(/^[^:]*:\/\/[^/]*/, '') || '/*')]
  const [, method, path] = /^([A-Z]+) +(\/\S*)$/.exec(text) ?? []
  if (method !== undefined) return [reason, `did you mean { path: ${path}, methods: [${method}] }`]
  const regex = /^[~^]+\*?\s*\^?(\/.*)$/.exec(text)?.[1]
  if (regex !== undefined)
    return [`${reason}, and a route is no regular expression`, regexHint(regex) ?? hintIfRight(regex, text)]
  return [reason, /^[\w*-]/.test(text) && !text.includes(':') ? didYouMean(`/${text}`) : undefined]
}

/** `.*`, `.+`, `(a|b)`, `[^/]+`, `\d+`, `^` and `$`: none of them stands in a path by itself but in a regular expression. */
const REGEX =
  /\.[*+]|\\(?:[dw][*+?{]|[./])|[^/]\[[^\]]*\]|\(\?|\([^()]*\|[^()]*\)|\[[^\]]*\][*+?]|\^|\$$|\)[*+?]|[*+]\?/

function regexTrouble(text: string): Trouble | undefined {
  return REGEX.test(text) ? ['a route is no regular expression', regexHint(text)] : undefined
}

/** `/admin/.*` is `/admin/*`, `/users/\d+` and `/users/([^/]+)` are `/users/{id}`. */
function regexHint(text: string): string | undefined {
  const choices = /^([^()|]*)\(([\w|-]+)\)([^()|]*)$/.exec(text)
  if (choices?.[2]?.includes('|'))
    return `give each its own route: ${choices[2]
      .split('|')
      .map((one) => quote(`${choices[1]}${one}${choices[3]}`))
      .join(', ')}`
  const plain = text
    .replace(/^\^|\$$/g, '')
    .replace(/\/?\(?\/?\.[*+]\??\)?\??$/, '/*')
    .replace(/\/\(?(?:\\[dw]|\[[^\]]*\])[*+?]?\)?(?=\/|$)/g, '/{id}')
  return hintIfRight(plain, text)
}

/** The spellings of other routers: `:id`, `<id>`, `[id]`, `{id:int}`, `/**`, a list of paths. */
function otherRouterTrouble(text: string): Trouble | undefined {
  if (/[|,]\s*\//.test(text)) {
    const paths = text.split(/[|,]\s*/).map((path) => quote(path))
    return ['a route has one path', `give each its own route: ${paths.join(', ')}`]
  }
  const named = text
    .replace(/\/:(\w+)(?:\([^/]*\)|[?*+])?(?=\/|$)/g, '/{$1}')
    .replace(/\/<(?:\w+:)?(\w+)>(?=\/|$)/g, '/{$1}')
    .replace(/\/\[(\w+)\](?=\/|$)/g, '/{$1}')
    .replace(/\/\[{1,2}\.{3}\w+\]{1,2}$/, '/*')
  if (named !== text) return ['a segment of any name is written in braces', hintIfRight(named, text)]
  const open = /[|[\]<>"`^]/.exec(text)?.[0]
  if (open !== undefined)
    return [`no path has ${quote(open)} as it stands`, `write it as "${encodeURIComponent(open)}"`]
  return undefined
}

/** A suggestion that `check` would refuse as well helps nobody. */
function hintIfRight(path: string, text: string): string | undefined {
  return path !== text && pathTrouble(path) === undefined ? didYouMean(path) : undefined
}

function queryTrouble(text: string): Trouble | undefined {
  if (/[?#]/.test(text)) return ['a route sees no query and no fragment', didYouMean(text.replace(/[?#].*$/, ''))]
  if (text.includes('//')) return ['it has an empty segment', didYouMean(text.replace(/\/{2,}/g, '/'))]
  return undefined
}

/** A request whose path has one of these is refused, so a route with it would never match. */
function encodingTrouble(text: string): Trouble | undefined {
  if (text.split('/').some((segment) => /^(\.|%2e){1,2}$/i.test(segment))) return ['it has a dot segment']
  if (/[;\\]|%3b|%5c/i.test(text)) return ['servers differ in what ";" and "\\" mean']
  if (/%(7b|7d)/i.test(text)) return ['an encoded brace cannot be told from that of a {name}', 'use {name} or "/*"']
  if (/%(2f|25|2a|7f|[01][0-9a-f])/i.test(text))
    return ['it has an encoded character that servers read in different ways']
  if (/%(?![0-9a-f]{2})/i.test(text)) return ['it has a "%" that encodes nothing']
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u0020\u007f-\u009f]/.test(text)) return ['it has a blank or a control character']
  try {
    decodeURIComponent(text)
    return undefined
  } catch {
    return ['what it encodes is not UTF-8']
  }
}

const NAME = /^\{[A-Za-z_][A-Za-z0-9_-]{0,63}\}$/

function braceTrouble(text: string): Trouble | undefined {
  const seen = new Set<string>()
  for (const segment of text.split('/')) {
    if (!/[{}]/.test(segment)) continue
    if (!NAME.test(segment)) return [`${quote(segment)} is no segment`, braceHint(text, segment)]
    if (seen.has(segment)) return [`${quote(segment)} stands in it twice`, 'give each segment a name of its own']
    seen.add(segment)
  }
  return undefined
}

/** `{id:int}`, `{id?}` and `{*rest}` of other routers; a name with something before or behind it. */
function braceHint(text: string, segment: string): string {
  const rest = /^\{(?:\*{1,2}\w*|\w+\*|\w+\.{3}|\w+=\*\*|\w+:(?:\.\*|path|path\*?|\*))\}$/.test(segment)
  if (rest && text.endsWith(`/${segment}`)) return didYouMean(`${text.slice(0, -segment.length)}*`)
  const name = /\{\s*([A-Za-z_][\w-]*)\s*(?:[:?=(][^{}]*)?\}/.exec(segment)?.[1] ?? 'name'
  return `a {${name}} is a whole segment, of any text`
}

function starTrouble(text: string): Trouble | undefined {
  const star = text.indexOf('*')
  if (star === -1 || (star === text.length - 1 && text.endsWith('/*'))) return undefined
  const everything = text.replace(/\/?\*{1,2}(\/\*{1,2})*$/, '/*')
  if (everything !== text && everything.indexOf('*') === everything.length - 1)
    return ['"*" stands for whole segments, at the end', didYouMean(everything)]
  const named = text.replace(/\/\*(?=\/)/g, '/{name}')
  return ['"*" stands only at the end', hintIfRight(named, text)]
}
