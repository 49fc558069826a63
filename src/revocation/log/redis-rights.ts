// What may the Redis user of a gate do at most? The documentation prints this line, and a test lives by it. Must never hold a
// command that the gate does not send, nor one that shows secrets: CONFIG GET prints passwords, so it is not in here.

/** The commands that a gate sends. */
const commands = [
  // Following the log, and knowing whether it is whole.
  '+xread +xrange +xlen +get +time +info',
  // Writing rules, trimming ended ones, writing lost ones back; and the entries beside the list, of the refresh by the identity
  // provider: `exchange`, `successor` and `refresh-token` are read, set and deleted, several in one transaction.
  '+multi +exec +xadd +xtrim +hset +hdel +expireat +incrby +set +del +wait',
  // `check: redis`. HMGET is what gates of 7d4b85d ask, and newer ones that may not use HGETALL.
  '+hmget +hgetall',
  // Plain keys of an existing list, another database than 0, and a Redis Cluster.
  '+exists +select +cluster|slots +cluster|info +asking',
].join(' ')

/** The line that makes the user of a gate on a list. Plain keys need `%R~` and their pattern as well. */
export function rightsFor(list: string): string {
  return `ACL SETUSER sidegate on >PASSWORD resetkeys ~sidegate:{${list}}:* resetchannels -@all ${commands}`
}

/** The same for the list `default`. */
export const leastRights = rightsFor('default')
