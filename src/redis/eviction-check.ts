// Can this Redis be trusted to keep the list? Asks how it evicts, what it keeps on disk and whether it is a replica that is
// cut off. What an ACL or a managed store denies is "unknown", never an alarm.

/** What is known; undefined where Redis does not tell. */
export interface Safety {
  /** The policy by which Redis may throw rules away, where it may. */
  readonly evictionPolicy: string | undefined
  readonly mayEvict: boolean | undefined
  /** Whether a restart loses what no gate holds. */
  readonly isPersistent: boolean | undefined
  /** Whether it is a replica, where nothing can be written. */
  readonly isReplica: boolean | undefined
  /** Whether it is older than 7.0, whose EXPIREAT can neither prolong nor keep an end: nothing can be written to it. */
  readonly isTooOld: boolean | undefined
}

/** Asks a command whose answer may be denied. */
export type Probe = (name: string, ...parts: string[]) => Promise<unknown>

/** Asks all of it. Never rejects. */
export async function readSafety(probe: Probe): Promise<Safety> {
  const memory = await textOf(probe('info', 'memory'))
  const persistence = await textOf(probe('info', 'persistence'))
  const evictionPolicy = fieldOf(memory, 'maxmemory_policy')
  const maxMemory = fieldOf(memory, 'maxmemory')
  const version = fieldOf(await textOf(probe('info', 'server')), 'redis_version')
  const link = await readReplicaLink(probe)
  return {
    evictionPolicy,
    // Without a limit nothing is evicted, whatever the policy says.
    mayEvict:
      evictionPolicy === undefined || maxMemory === undefined
        ? undefined
        : evictionPolicy !== 'noeviction' && maxMemory !== '0',
    isPersistent: fieldOf(persistence, 'aof_enabled') === '1' ? true : await savesSnapshots(probe),
    isReplica: link === undefined ? undefined : link !== 'master',
    isTooOld: version === undefined ? undefined : Number.parseInt(version, 10) < 7,
  }
}

/** How fresh this server can be: the master itself, a replica in touch with it, or one that is cut off. */
export async function readReplicaLink(probe: Probe): Promise<'master' | 'up' | 'down' | undefined> {
  const replication = await textOf(probe('info', 'replication'))
  const role = fieldOf(replication, 'role')
  if (role === undefined) return undefined
  if (role === 'master') return 'master'
  return fieldOf(replication, 'master_link_status') === 'up' ? 'up' : 'down'
}

/** Replicas acknowledge each second; one that has been silent for longer is cut off, though its socket may stay for a minute. */
const MOST_LAG_SECONDS = 5

/** How many replicas a master has that are in touch, by its INFO replication; undefined where it is no master. */
export function onlineReplicas(replication: string): number | 'unknown' | undefined {
  const role = fieldOf(replication, 'role')
  if (role === undefined) return 'unknown'
  if (role !== 'master') return undefined
  const lags = [...replication.matchAll(/^slave\d+:[^\r\n]*\bstate=online\b[^\r\n]*\blag=(\d+)/gm)]
  return lags.filter(([, lag]) => Number(lag) <= MOST_LAG_SECONDS).length
}

// INFO does not tell whether snapshots are planned; CONFIG GET is often denied, and rightly so: it shows passwords.
async function savesSnapshots(probe: Probe): Promise<boolean | undefined> {
  try {
    const reply = await probe('config', 'get', 'save')
    return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] !== '' : undefined
  } catch {
    return undefined
  }
}

async function textOf(answer: Promise<unknown>): Promise<string> {
  try {
    return String(await answer)
  } catch {
    return ''
  }
}

function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:([^\\r\\n]*)`, 'm').exec(info)?.[1]
}
