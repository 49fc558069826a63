// What may be shown of the settings? Everything but the passwords in them. Secrets themselves stand in files, which are
// named here and never opened.

import type { Config } from './options.ts'
import { settingRows } from './sources/flags.ts'

/** The settings as a log line or a command may print them: the same, with the passwords in URLs replaced. */
export function describeConfig(config: Config): Config {
  const copy = structuredClone(config) as Config
  for (const row of settingRows) if (row.secret === true) redactAt(copy, row.path)
  return copy
}

function redactAt(root: object, path: readonly string[]): void {
  let group: unknown = root
  for (const name of path.slice(0, -1)) group = isRecord(group) ? group[name] : undefined
  const last = path.at(-1)
  if (last === undefined || !isRecord(group)) return
  const value = group[last]
  // Words stand in place of some URLs, such as `env` of `outbound.proxy`
  if (typeof value === 'string' && !/^[a-z]{1,8}$/.test(value)) group[last] = redactUrl(value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** A URL with `***` in place of its password; the user stays, but for a proxy, where it may be a token. A text that is no URL is replaced as a whole. */
export function redactUrl(url: string): string {
  const match = /^([a-z][a-z0-9+.-]*:\/\/)(?:([^:@/]*)(:[^/]*)?@)?([^@]*)$/i.exec(url)
  if (match === null) return '***'
  const [, scheme = '', user, password, rest = ''] = match
  if (user === undefined) return scheme + rest
  if (/^https?:/i.test(scheme)) return `${scheme}***@${rest}`
  return `${scheme}${user}${password === undefined ? '' : ':***'}@${rest}`
}
