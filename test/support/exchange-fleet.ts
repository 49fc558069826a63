// Several gates that refresh by one real identity provider and share one real Redis: whole gates, with their settings in files.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from './eventually.ts'
import { ADMIN_TOKEN, type Gateway, nextOf, startGateway, stopGateways } from './gateway.ts'
import { CLIENT_ID, CLIENT_SECRET, type IdentityProvider, startIdentityProvider } from './identity-provider.ts'
import { startEchoOrigin } from './origin.ts'
import { startRedis, type TestRedis } from './redis.ts'

export interface ExchangeFleet {
  readonly provider: IdentityProvider
  readonly redis: TestRedis
  readonly folder: string
  /** Starts a gate that is ready. `more` are further lines below `refresh.exchange`. */
  start(options?: FleetGateOptions): Promise<Gateway>
  settings(options?: FleetGateOptions): string
  /** A token that is in its window. */
  due(claims?: Record<string, unknown>): string
  /** Hands in a refresh token for an access token, as the login app does. */
  handIn(gate: Gateway, token: string, refreshToken: string): Promise<Response>
  /** Every key of Redis that gates use for the exchange, and all that is in Redis, as text. */
  entries(): Promise<{ readonly keys: readonly string[]; readonly all: string }>
  /** Ends the lock of whatever token as time would. */
  endLocks(): Promise<void>
  stop(): Promise<void>
}

export interface FleetGateOptions {
  readonly grant?: 'token-exchange' | 'refresh-token'
  readonly timeout?: string
  readonly storeKeys?: readonly string[]
  readonly window?: string
  readonly whenInDoubt?: 'stop' | 'retry'
}

/** A key as `openssl rand -base64 32` makes it. */
export const storeKey = () => randomBytes(32).toString('base64')

export async function startExchangeFleet(): Promise<ExchangeFleet> {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-exchange-fleet-'))
  const [provider, app, redis] = await Promise.all([
    startIdentityProvider(),
    startEchoOrigin(),
    // Uncompressed, so that a dump shows what an entry holds.
    startRedis(['--appendonly', 'yes', '--rdbcompression', 'no']),
  ])
  writeFileSync(join(folder, 'secret'), `${CLIENT_SECRET}\n`)
  writeFileSync(join(folder, 'admin-token'), `${ADMIN_TOKEN}\n`)
  const sharedKeys = [storeKey()]
  let files = 0

  function settings(options: FleetGateOptions = {}) {
    const { grant = 'token-exchange', timeout = '2s', storeKeys, window = '60s', whenInDoubt = 'stop' } = options
    files++
    const keyFile = join(folder, `store-keys-${files}`)
    writeFileSync(keyFile, `${(storeKeys ?? sharedKeys).join('\n')}\n`)
    return `
listen: 127.0.0.1:0
upstream: ${app.url.origin}
admin: { listen: 127.0.0.1:0, tokenFile: ${folder}/admin-token }
issuers:
  - { issuer: "${provider.issuer}", audiences: [orders], keys: { discovery: true } }
revocation: { redis: "${redis.url}", whenStale: allow }
refresh:
  window: ${window}
  exchange:
    tokenEndpoint: ${provider.tokenEndpoint}
    clientId: "${CLIENT_ID}"
    clientSecretFile: ${folder}/secret
    timeout: ${timeout}
    whenInDoubt: ${whenInDoubt}
    ${grant === 'refresh-token' ? `grant: refresh-token\n    storeKeyFile: ${keyFile}` : ''}
`
  }

  return {
    ...{ provider, redis, folder, settings },
    start: async (options) => {
      const gate = await startGateway(settings(options))
      await eventually(async () => {
        if ((await gate.admin('/readyz')).status !== 200) throw new Error('not ready yet')
      })
      return gate
    },
    due: (claims = {}) => {
      const nowSeconds = Math.floor(Date.now() / 1000)
      return provider.mint({ jti: randomBytes(8).toString('hex'), exp: nowSeconds + 40, ...claims })
    },
    handIn: (gate, token, refreshToken) =>
      gate.admin('/refresh-tokens', {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
        body: JSON.stringify({ token, refreshToken }),
      }),
    entries: async () => {
      const all = (await redis.command('keys', '*')) as string[]
      const keys = all
        .filter((key) => /^sidegate:\{default\}:(exchange|successor|refresh-token|refresh-asked):/.test(key))
        .sort()
      const dumps = await Promise.all(all.map((key) => redis.client.dumpBuffer(key)))
      return { keys, all: `${all.join('\n')}\n${dumps.map((dump) => dump?.toString('latin1')).join('\n')}` }
    },
    endLocks: async () => {
      for (const key of (await redis.command('keys', '*:exchange:*')) as string[])
        await redis.command('pexpire', key, 1)
      await eventually(async () => {
        if (((await redis.command('keys', '*:exchange:*')) as string[]).length > 0) throw new Error('a lock is there')
      })
    },
    stop: async () => {
      await stopGateways()
      await Promise.all([provider.close(), app.close(), redis.stop()])
      rmSync(folder, { recursive: true })
    },
  }
}

/**
 * The next token that a gate gives for this one. On a busy machine it may be late for the first answers, and where Redis was
 * late as well, the lock has to end first: ten seconds, or 100 looks.
 */
export function nextFrom(gate: Gateway, token: string, looks = 200): Promise<string> {
  const look = async () => {
    const response = await gate.request('/orders', { token })
    const next = nextOf(response)
    if (next === null) throw new Error(`no next token yet, status is ${response.status}`)
    return next
  }
  return eventually(look, looks, 100)
}

/** Half of what a gate allows Redis before it asks for itself, in turns of the event loop, as the gate counts them too. */
const LATE_TURNS = 5
const TURN_MS = 10

/** Asks Redis all the time. What it answers ends that, and tells whether Redis was late meanwhile. */
export function watchRedis({ command }: TestRedis): () => boolean {
  let turns = 0
  let mostTurns = 0
  const counting = setInterval(() => {
    mostTurns = Math.max(mostTurns, ++turns)
  }, TURN_MS)
  let isOver = false
  const askOn = async () => {
    while (!isOver) {
      await command('ping')
      turns = 0
      await sleep(TURN_MS)
    }
  }
  void askOn().catch(() => {})
  return () => {
    isOver = true
    clearInterval(counting)
    return mostTurns >= LATE_TURNS
  }
}
