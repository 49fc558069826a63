// Many rules at once, as lines of text: JSON rules, or the plain keys of an existing list. Every line is read before the
// first rule is written, so that a mistake anywhere writes nothing.

import { buildRule, parseRule, quote, type RuleSettings } from './json.ts'
import { isProblem, type Problem, type Rule, type RuleKind } from './rule.ts'

export interface RuleLines {
  readonly rules: readonly Rule[]
  /** One sentence for each wrong line, with its number. */
  readonly problems: readonly string[]
}

/** The most rules that one write takes: more are written in several, each of them whole or not at all. */
export const RULES_PER_WRITE = 1000

/** Reads one JSON rule a line; empty lines are skipped. */
export function readJsonLines(text: string, settings: RuleSettings): RuleLines {
  return readLines(text, (line) => parseRule(parseJson(line), settings))
}

/**
 * Reads one key of an existing list a line, with its time to live in seconds behind it where that is known, as
 * `redis-cli --scan` and `TTL` print them. The template says what a key names: `revoked:{jti}`.
 */
export function readKeyLines(text: string, template: string, settings: RuleSettings): RuleLines | Problem {
  const match = /^([^{}]*)\{([^{}]+)\}([^{}]*)$/.exec(template)
  const [, prefix = '', claim = '', suffix = ''] = match ?? []
  const kind = kindOfClaim[claim]
  if (match === null || kind === undefined) {
    const known = Object.keys(kindOfClaim).map((name) => `{${name}}`)
    return { problem: `Cannot read the template ${quote(template)}: it must hold exactly one of ${known.join(', ')}` }
  }
  return readLines(text, (line) => {
    const [key = '', timeToLive, ...more] = line.trim().split(/\s+/)
    if (more.length > 0) return { problem: 'Expected a key, and its time to live in seconds behind it' }
    if (!key.startsWith(prefix) || !key.endsWith(suffix) || key.length <= prefix.length + suffix.length)
      return { problem: `Key ${quote(key)} is not of the form ${quote(template)}` }
    const expiresAtSeconds = endOf(timeToLive, settings.nowSeconds)
    if (expiresAtSeconds === 'gone') return undefined
    if (expiresAtSeconds === 'unreadable') return { problem: `Time to live ${quote(timeToLive ?? '')} is no number` }
    const value = key.slice(prefix.length, key.length - suffix.length)
    return buildRule({ kind, value, expiresAtSeconds, reason: 'imported' }, settings)
  })
}

const kindOfClaim: Readonly<Record<string, RuleKind>> = {
  jti: 'token',
  sub: 'subject',
  sid: 'session',
  azp: 'client',
  client_id: 'client',
  kid: 'key',
  iss: 'issuer',
}

/** What `TTL` says: seconds, -1 for a key that never ends, -2 for one that is gone. */
function endOf(timeToLive: string | undefined, nowSeconds: number): number | undefined | 'gone' | 'unreadable' {
  if (timeToLive === undefined || timeToLive === '-1') return undefined
  if (timeToLive === '-2') return 'gone'
  return /^\d{1,12}$/.test(timeToLive) ? Math.ceil(nowSeconds) + Number(timeToLive) : 'unreadable'
}

function readLines(text: string, read: (line: string) => Rule | Problem | undefined): RuleLines {
  const rules: Rule[] = []
  const problems: string[] = []
  let number = 0
  for (const line of text.split('\n')) {
    number++
    if (line.trim() === '') continue
    const rule = read(line)
    if (rule === undefined) continue
    if (isProblem(rule)) problems.push(`line ${number}: ${rule.problem}`)
    else rules.push(rule)
  }
  return { rules, problems }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
