// How long may a token live that any gate of this list admits? Gates with other settings follow the same log: each says its own
// longest lifetime in Redis, and an entry without an end is kept for the longest. Must never answer less than that of this gate.
import type { Command, RedisConnection } from '../../redis/connection.ts'
import { pairsOf } from '../../redis/replies.ts'
import type { Rights } from '../../redis/rights.ts'

export interface Lifetimes {
  /** Says ours, and reads those of others. Rejects where Redis does not answer. */
  renew(nowSeconds: number): Promise<void>
  /** In seconds. */
  longest(): number
}

export interface LifetimeParts {
  readonly connection: Pick<RedisConnection, 'send' | 'probe'>
  /** A hash: the field is a lifetime in seconds, its content when a gate with it was last seen, in unix seconds of Redis. */
  readonly key: string
  /** As the settings are now: a reload may change it. */
  readonly ownSeconds: () => number
  readonly rights: Rights
  readonly timeoutMs: number
}

const DAY_SECONDS = 86_400
// Beyond the year 10000 nothing is a lifetime.
const MOST_SECONDS = 253_402_300_799

export function createLifetimes({ connection, key, ownSeconds, rights, timeoutMs }: LifetimeParts): Lifetimes {
  // Until it is known that the hash is older than a day, a gate with a longer lifetime may not have been heard of.
  let longestSeconds = Math.max(ownSeconds(), DAY_SECONDS)

  async function renew(nowSeconds: number): Promise<void> {
    const now = Math.floor(nowSeconds)
    const commands: Command[] = [
      ['hset', key, String(ownSeconds()), String(now)],
      ['set', `${key}:since`, String(now), 'NX'],
      ['get', `${key}:since`],
    ]
    const [, , since] = await connection.send(commands, timeoutMs)
    const reply = await rights.attempt('hgetall', () => connection.probe([['hgetall', key]], timeoutMs))
    const isYoung = !(now - Number(since) >= DAY_SECONDS)
    const known = reply === undefined ? [] : pairsOf(reply[0]).filter(([field, seen]) => counts(field, seen, now))
    const floor = isYoung || reply === undefined ? DAY_SECONDS : 0
    longestSeconds = Math.max(floor, ...known.map(([field]) => Number(field)))
  }

  return Object.freeze({ renew, longest: () => Math.max(ownSeconds(), longestSeconds) } satisfies Lifetimes)
}

// What a gate with it admitted may live for that long after it was last seen; a day more, for a gate that is away for a while.
function counts(field: string, seen: string, nowSeconds: number): boolean {
  if (!/^\d{1,12}$/.test(field) || !/^\d{1,12}$/.test(seen) || Number(field) > MOST_SECONDS) return false
  return Number(seen) + Number(field) + DAY_SECONDS > nowSeconds
}
