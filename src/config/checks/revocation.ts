// Do the settings of the revocation list fit each other, and the kind of Redis that its URL names?

import type { Config } from '../options.ts'
import type { Finding } from '../problems.ts'
import type { Draft } from './draft.ts'

type RevocationDraft = NonNullable<Draft<Config>['revocation']>

const at = (name: string) => ['revocation', name]

/** What contradicts itself below `revocation`. */
export function* revocationRules({ revocation }: Draft<Config>): Generator<Finding> {
  if (revocation === undefined) return
  const { redis, check, keys, passwordFile } = revocation
  if (!('redis' in revocation)) yield* withoutRedis(revocation)
  if (redis !== undefined) yield* formRules(revocation, redis)
  if (keys !== undefined && check === 'local') {
    yield {
      path: at('keys'),
      message: 'Cannot use "keys" with "check: local": the local copy follows the log and sees no plain keys',
      hint: 'set "check: redis"',
    }
  }
  if (passwordFile !== undefined && redis !== undefined && /\/\/[^@/]*:[^@/]+@/.test(redis)) {
    yield {
      path: at('passwordFile'),
      message: 'Expected one password, got one in the file and one in "revocation.redis"',
      hint: 'remove the one in the URL',
    }
  }
}

/** What means nothing without a Redis. */
function* withoutRedis({ check, minReplicas, ...given }: RevocationDraft): Generator<Finding> {
  const hint = 'give "revocation.redis" as well'
  if (check === 'redis') yield { path: at('check'), message: 'Cannot check in Redis: no Redis is given', hint }
  if (minReplicas) yield { path: at('minReplicas'), message: 'Cannot wait for replicas: no Redis is given', hint }
  const uses = {
    passwordFile: 'a password',
    sentinelPasswordFile: 'a password',
    caFile: 'certificates',
    natMap: 'other addresses',
  } as const
  for (const [name, use] of Object.entries(uses))
    if (given[name as keyof typeof uses] !== undefined)
      yield { path: at(name), message: `Cannot use ${use}: no Redis is given`, hint }
}

/** What only one form of the URL can use. */
function* formRules({ sentinelPasswordFile, caFile, natMap }: RevocationDraft, redis: string): Generator<Finding> {
  if (sentinelPasswordFile !== undefined && !/^rediss?\+sentinel:/.test(redis)) {
    yield {
      path: at('sentinelPasswordFile'),
      message: 'Cannot use a password for Sentinels: "revocation.redis" names none',
      hint: 'write it as "redis+sentinel://host:26379/name-of-the-master"',
    }
  }
  if (caFile !== undefined && !redis.startsWith('rediss')) {
    yield {
      path: at('caFile'),
      message: 'Cannot use certificates: the connection to Redis is not encrypted',
      hint: 'begin "revocation.redis" with "rediss"',
    }
  }
  if (natMap !== undefined && !/^rediss?\+/.test(redis)) {
    yield {
      path: at('natMap'),
      message: 'Cannot use other addresses: one Redis server is asked at the address of its URL',
      hint: 'remove it, or begin "revocation.redis" with "redis+cluster" or "redis+sentinel"',
    }
  }
}
