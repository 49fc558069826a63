// From the settings of an issuer to an issuer that is trusted. Keys that are fetched live longer than one version of the
// settings: a reload must not make the gate forget them and ask again.
import type { Config, IssuerConfig } from '../config/options.ts'
import type { Clock } from '../model/clock.ts'
import type { Fetch } from '../outbound-http/fetch.ts'
import type { Log } from '../telemetry/logs/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { fetchByDiscovery, fetchFrom } from '../token/keys/fetch-keys.ts'
import type { VerificationKey } from '../token/keys/key-set.ts'
import { createFixedKeys, type KeySource, withOwnKeys } from '../token/keys/keys.ts'
import { createRemoteKeys } from '../token/keys/remote-keys.ts'
import { OWN_KEYS, type RetiredKeys } from '../token/keys/retired-keys.ts'
import type { OwnKeys } from '../token/signing/own-keys.ts'
import type { Issuer } from '../token/verify.ts'
import type { Outbound } from './outbound.ts'
import type { Materials } from './settings/file-contents.ts'
import { describeShared } from './signing-keys.ts'

export interface IssuerParts {
  readonly outbound: Outbound
  readonly clock: Clock
  readonly monotonic: Clock
  readonly metrics: Metrics
  readonly log: Log
  /** Called when other keys than before are in force: what one of the old ones verified may count no longer. */
  readonly onKeysChanged?: () => void
  /** Where keys that leave a set are noted. */
  readonly retired?: RetiredKeys
}

export interface Issuers {
  /** The issuers of these settings; sources that they share with the settings before go on as they are. */
  build(config: Config, materials: Materials): readonly Issuer[]
  /** Stops fetching. */
  stop(): void
}

/** Makes the builder, which keeps the fetched key sets between reloads. */
export function createIssuers(parts: IssuerParts): Issuers {
  let sources = new Map<string, KeySource>()
  let authorities: Materials['issuerAuthorities'] = new Map()
  const warnOfShared = createSharedKeyWarning(parts.log)

  return {
    build: (config, materials) => {
      const next = new Map<string, KeySource>()
      authorities = materials.issuerAuthorities
      const refreshed = config.issuers.filter(({ refresh }) => refresh).map(({ issuer }) => issuer)
      warnOfShared.renew(materials.ownKeys, refreshed)
      parts.retired?.note(OWN_KEYS, materials.ownKeys?.verification.keys ?? [])
      const issuers = config.issuers.map((issuer) => {
        const fixed = materials.issuerKeys.get(issuer.issuer)
        const id = JSON.stringify([issuer.issuer, issuer.keys])
        // Asked again for each fetch: other certificates must not make the gate forget the keys that it has
        const fetch = parts.outbound.fetchTrusting(() => authorities.get(issuer.issuer))
        const keys =
          fixed === undefined
            ? (sources.get(id) ?? startFetching(issuer, { ...parts, fetch, onKeys: warnOfShared.look }))
            : createFixedKeys(fixed)
        if (fixed === undefined) {
          next.set(id, keys)
          warnOfShared.look(issuer.issuer, keys.keys())
        } else if ('jwksFile' in issuer.keys) parts.metrics.jwksKeys.set({ issuer: issuer.issuer }, keys.size())
        const trusted = toIssuer(issuer, keys, materials.ownKeys, config.refresh?.issuer)
        // A set that was not fetched yet is no set without keys.
        if (keys.missing() === undefined) parts.retired?.note(issuer.issuer, keys.keys())
        return trusted
      })
      for (const [id, source] of sources) if (!next.has(id)) source.stop()
      sources = next
      return issuers
    },
    stop: () => {
      for (const source of sources.values()) source.stop()
    },
  }
}

function toIssuer(
  issuer: IssuerConfig,
  keys: KeySource,
  own: OwnKeys | undefined,
  successorIssuer: string | undefined,
): Issuer {
  const policy = {
    issuer: issuer.issuer,
    audiences: issuer.audiences,
    algorithms: issuer.algorithms,
    clockToleranceSeconds: issuer.clockTolerance / 1000,
    tokenTypes: issuer.tokenTypes,
    allowIdTokens: issuer.allowIdTokens,
    confirmation: issuer.confirmation,
    requiredClaims: issuer.requiredClaims,
    maxLifetimeSeconds: issuer.maxLifetime / 1000,
  }
  // A key that signs no successor for an issuer must not be able to speak for it
  if (own === undefined || !issuer.refresh) return { policy, keys }
  const { verification, algorithms } = own
  const trusted = { policy, keys: withOwnKeys(verification, keys, issuer.algorithms), ownAlgorithms: algorithms }
  if (successorIssuer === undefined) return trusted
  return { ...trusted, successors: { iss: successorIssuer, keys: createFixedKeys(verification), algorithms } }
}

/** Keys that are fetched come after the settings were checked: what they have in common with our own is told in the log. */
function createSharedKeyWarning(log: Log) {
  const told = new Set<string>()
  let own: OwnKeys | undefined
  let issuers: readonly string[] = []
  return {
    renew: (keys: OwnKeys | undefined, refreshed: readonly string[]) => {
      own = keys
      issuers = refreshed
    },
    look: (issuer: string, keys: readonly VerificationKey[]) => {
      if (own === undefined || !issuers.includes(issuer)) return
      for (const warning of describeShared(own, keys)) {
        if (told.has(`${issuer} ${warning}`)) continue
        told.add(`${issuer} ${warning}`)
        log.warn({ issuer }, warning)
      }
    },
  }
}

interface FetchingParts extends IssuerParts {
  readonly fetch: Fetch
  readonly onKeys: (issuer: string, keys: readonly VerificationKey[]) => void
}

function startFetching({ issuer, keys }: IssuerConfig, parts: FetchingParts): KeySource {
  const { metrics, log, clock, monotonic } = parts
  for (const result of ['ok', 'empty', 'error']) metrics.jwksFetches.inc({ issuer, result }, 0)
  for (const action of ['fetched', 'cooldown', 'turned_away']) metrics.jwksUnknownKeyIds.inc({ issuer, action }, 0)
  const fetchKeySet = 'jwksUri' in keys ? fetchFrom(keys.jwksUri, parts.fetch) : fetchByDiscovery(issuer, parts.fetch)
  const source = createRemoteKeys({
    fetchKeySet,
    monotonic,
    observe: {
      fetched: (result, { keys: count, problem }) => {
        metrics.jwksFetches.inc({ issuer, result })
        metrics.jwksKeys.set({ issuer }, count)
        if (problem !== undefined) {
          log.warn({ issuer, problem }, 'Cannot fetch keys')
          return
        }
        metrics.jwksLastSuccess.set({ issuer }, clock() / 1000)
        if (result === 'ok') log.debug({ issuer, keys: count }, 'Keys fetched')
        else log.error({ issuer }, 'The issuer has withdrawn all its keys: none of its tokens is admitted')
      },
      rejected: ({ keyId, why, isForOtherUse }) =>
        log[isForOtherUse ? 'debug' : 'warn']({ issuer, keyId, why }, 'Ignored a key of the issuer'),
      changed: (set) => {
        parts.retired?.note(issuer, set)
        parts.onKeys(issuer, set)
        parts.onKeysChanged?.()
      },
      unknownKeyId: (action) => metrics.jwksUnknownKeyIds.inc({ issuer, action }),
      servedOld: () => metrics.degradedDecisions.inc({ dependency: 'keys', policy: 'allow' }),
    },
  })
  source.start()
  return source
}
