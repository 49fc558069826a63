// Where is Redis, by its URL? Reads the standalone, Sentinel and Cluster forms. No message from here, and nothing that
// `describeAddress` answers, may hold the user name or the password.

/** Redis as it can be reached. */
export interface RedisAddress {
  readonly form: 'standalone' | 'sentinel' | 'cluster'
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  /** The name under which the Sentinels know the master. */
  readonly masterName: string | undefined
}

const urlPattern =
  /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^/?#]*))?(?:\/([^/?#]*))?\/?$/

/**
 * Reads `redis://` or `rediss://` (TLS) with `user:password@`, host, port and `/database`;
 * `redis+sentinel://user:password@host:26379,host:26379/master-name/database`; `redis+cluster://host:6379,host:6379`.
 * Throws a plain sentence that never repeats the URL.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const match = urlPattern.exec(url)
  if (match === null) throw new Error(`Cannot read the Redis URL: it is not like "redis://host:6379/0"`)
  const [, scheme, form, credentials, hosts = '', first = '', second = ''] = match
  const kind = form === 'sentinel' || form === 'cluster' ? form : 'standalone'
  const nodes = hosts.split(',').map((host) => nodeOf(host, kind === 'sentinel' ? 26379 : 6379))
  if (kind === 'standalone' && nodes.length > 1) {
    throw new Error('Cannot read the Redis URL: several hosts need "redis+sentinel://" or "redis+cluster://"')
  }
  if (kind === 'sentinel' && first === '') {
    throw new Error('Cannot read the Redis URL: "redis+sentinel://" needs the name of the master after the hosts')
  }
  if (kind !== 'sentinel' && second !== '') throw new Error('Cannot read the Redis URL: its path has too many parts')
  const database = databaseOf(kind === 'sentinel' ? second : first)
  if (kind === 'cluster' && database !== 0) {
    throw new Error('Cannot read the Redis URL: a Redis Cluster has only database 0')
  }
  return {
    form: kind,
    nodes,
    tls: scheme === 'rediss',
    ...credentialsOf(credentials),
    database,
    masterName: kind === 'sentinel' ? decoded(first) : undefined,
  }
}

/** The address in words that may be logged. */
export function describeAddress(address: RedisAddress): string {
  const hosts = address.nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',')
  const scheme = address.tls ? 'rediss' : 'redis'
  if (address.form === 'standalone') return `${scheme}://${hosts}/${address.database}`
  const path = address.form === 'sentinel' ? `/${address.masterName}/${address.database}` : ''
  return `${scheme}+${address.form}://${hosts}${path}`
}

function nodeOf(text: string, defaultPort: number): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3] === undefined ? defaultPort : Number(match[3])
  if (host === undefined || port < 1 || port > 65535) {
    throw new Error('Cannot read the Redis URL: a host is not like "host:6379"')
  }
  return { host, port }
}

function databaseOf(text: string): number {
  if (text === '') return 0
  if (!/^\d{1,5}$/.test(text)) throw new Error('Cannot read the Redis URL: the database is not a number')
  return Number(text)
}

function credentialsOf(text: string | undefined): Pick<RedisAddress, 'username' | 'password'> {
  if (text === undefined || text === '') return { username: undefined, password: undefined }
  const colon = text.indexOf(':')
  const username = decoded(colon < 0 ? text : text.slice(0, colon))
  const password = colon < 0 ? undefined : decoded(text.slice(colon + 1))
  return { username: username === '' ? undefined : username, password: password === '' ? undefined : password }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Error('Cannot read the Redis URL: a part of it is not percent-encoded correctly')
  }
}
