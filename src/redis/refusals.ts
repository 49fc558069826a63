// Why does Redis refuse a command, and what ends that? One row for each error code of Redis, in words for the person who revokes;
// the code stays at the end, for a search. Must never repeat an argument of the command: Redis quotes some.
import { redisMessageOf } from './report.ts'

type Sentence = string | ((message: string) => string)

const REPLICA = 'name the master in "revocation.redis", or reach it by redis+sentinel:// or rediss+sentinel://'

/** What each code means here. Of several in one message, the first row counts. */
const sentences: Readonly<Record<string, Sentence>> = {
  NOAUTH: 'Redis asks for a password: set "passwordFile"',
  WRONGPASS: 'Redis refuses the user name or the password',
  NOPERM: (message) => `Redis denies its user ${deniedBy(message)}: give it the rights in docs/revocation.md`,
  NOREPLICAS:
    'Redis takes no writes, as fewer replicas follow it than its "min-replicas-to-write" wants: bring the replicas back, or lower that setting',
  READONLY: `Redis takes no writes, as this server is a replica: ${REPLICA}`,
  MASTERDOWN: `Redis answers nothing, as this server is a replica that has lost its master: ${REPLICA}`,
  MISCONF:
    'Redis takes no writes, as it cannot save its data to disk: its log says why; give it room or rights on the disk',
  OOM: 'Redis takes no writes, as its memory is full: raise its "maxmemory", or remove data of other programs from it',
  LOADING: 'Redis is loading its data after a start: try again when it is done',
  BUSY: 'Redis is busy with a script of another program: end it with SCRIPT KILL or FUNCTION KILL',
  CLUSTERDOWN:
    'The Redis Cluster serves the slot of this list by no node at the moment; try again when CLUSTER INFO says "cluster_state:ok"',
  DENIED: 'Redis runs in protected mode and takes connections of its own host alone: give its user a password',
  WRONGTYPE:
    'a key of this list holds another type of value, which another program wrote: remove it or name another list',
}

const rows = Object.entries(sentences).map(
  // At the beginning of a message, or where the client quotes one; "(OOM)" at the end of a sentence of ours.
  ([code, sentence]) => [new RegExp(`(?:^|[\\s:(])${code}(?:[\\s)]|$)`), code, sentence] as const,
)

/** Redis refused a command for one of these reasons. Others of the same transaction may have been executed. */
export class RedisRefusalError extends Error {
  override readonly name = 'RedisRefusalError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** The code in an error of Redis, of its client, or in our words; undefined where none of the table is in it. */
export function refusalCodeOf(error: unknown): string | undefined {
  if (error instanceof RedisRefusalError) return error.code
  const message = redisMessageOf(error)
  return rows.find(([pattern]) => pattern.test(message))?.[1]
}

/** The refusal in our words; undefined for every other error. */
export function refusalOf(error: unknown): RedisRefusalError | undefined {
  if (error instanceof RedisRefusalError) return error
  const message = redisMessageOf(error)
  const row = rows.find(([pattern]) => pattern.test(message))
  if (row === undefined) return undefined
  const [, code, sentence] = row
  return new RedisRefusalError(code, `${typeof sentence === 'string' ? sentence : sentence(message)} (${code})`)
}

function deniedBy(message: string): string {
  const command = /run the '([\w|-]{1,40})' command/.exec(message)?.[1]
  if (command !== undefined) return `the command ${JSON.stringify(command)}`
  return /access a key|access one of the keys/.test(message) ? 'the keys of this list' : 'what it asks'
}
