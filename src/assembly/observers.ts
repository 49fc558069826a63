// What the parts tell, as it is counted. Every label comes from a closed set.

import type { LifetimeParts } from '../gate/open-connections.ts'
import type { DropReason, LeftOut } from '../http/limits.ts'
import { redisErrorKinds } from '../redis/report.ts'
import type { RevocationObserver } from '../revocation/log/report.ts'
import type { Revocations } from '../revocation/revocations.ts'
import { ruleKinds } from '../revocation/rule/rule.ts'
import type { Log } from '../telemetry/logs/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import type { ExposureParts } from '../upstream/exposure.ts'

/** Counts what happens in the feed and on the connections to Redis; all series exist from the start. */
export function createRevocationObserver(metrics: Metrics): RevocationObserver {
  for (const kind of redisErrorKinds) metrics.redisErrors.inc({ kind }, 0)
  for (const type of ['full', 'follow', 'heal'])
    for (const result of ['ok', 'error']) metrics.revocationReads.inc({ type, result }, 0)
  return {
    read: (type, result) => metrics.revocationReads.inc({ type, result }),
    propagated: (seconds) => metrics.revocationPropagation.observe(seconds),
    healed: (rules) => metrics.revocationHealed.inc(rules),
    skipped: () => metrics.redisErrors.inc({ kind: 'reply' }),
    overruled: (entries) => metrics.revocationOverruled.inc(entries),
    notUnderstood: (entries) => metrics.revocationNotUnderstood.set(entries),
    logAhead: (seconds) => metrics.revocationLogAhead.set(seconds),
    heard: (atMs) => metrics.revocationLastHeard.set(atMs / 1000),
    synced: (isSynced) => metrics.revocationSynced.set(isSynced ? 1 : 0),
    redisUp: (isUp) => metrics.redisUp.set(isUp ? 1 : 0),
    redisReconnecting: () => metrics.redisReconnects.inc(),
    redisFailed: (kind) => metrics.redisErrors.inc({ kind }),
    evictionUnsafe: (isUnsafe) => metrics.redisEvictionUnsafe.set(isUnsafe === true ? 1 : 0),
  }
}

/** Counts the connections that end with their token. */
export function createLifetimeObserver(metrics: Metrics): Pick<LifetimeParts, 'onCount' | 'onEnded'> {
  for (const type of ['websocket', 'stream']) metrics.guardedConnections.set({ type }, 0)
  for (const reason of ['token_expired', 'token_revoked']) metrics.guardedConnectionsEnded.inc({ reason }, 0)
  return {
    onCount: (type, count) => metrics.guardedConnections.set({ type }, count),
    onEnded: (_type, reason) => metrics.guardedConnectionsEnded.inc({ reason }),
  }
}

const dropLabels: Readonly<Record<DropReason, { readonly why: DropReason }>> = {
  name: { why: 'name' },
  folded: { why: 'folded' },
  listed: { why: 'listed' },
}

/** Counts what the app does not get of requests and tokens. A claim is logged once for each issuer, without its value. */
export function createLeftOutObserver({ metrics, log }: { readonly metrics: Metrics; readonly log: Log }): LeftOut {
  for (const labels of Object.values(dropLabels)) metrics.droppedHeaders.inc(labels, 0)
  for (const why of ['too_long', 'not_text']) metrics.identityLeftOut.inc({ why }, 0)
  const logged = new Set<string>()
  return {
    header: (why) => metrics.droppedHeaders.inc(dropLabels[why]),
    identity: ({ issuer, header, claim, why }) => {
      metrics.identityLeftOut.inc({ why })
      const key = JSON.stringify([issuer, header, claim, why])
      if (logged.has(key)) return
      logged.add(key)
      log.warn(
        { issuer, header, claim },
        why === 'too_long'
          ? 'Left out an identity header: the claim is longer than 4 KiB; map a shorter claim in forward.identity'
          : 'Left out an identity header: the claim is no text and no exact number, or a list with such a thing in it; map another claim',
      )
    },
  }
}

/** Brings the gauges up to date that are asked for rather than told. */
export function readHoldings(metrics: Metrics, revocations: Revocations): void {
  const { rules, memoryBytes } = revocations.holdings()
  for (const kind of ruleKinds) metrics.revocationRules.set({ kind }, rules(kind))
  metrics.revocationMemory.set(memoryBytes)
}

/** Makes the function that counts each look, and logs when the answer is another than before. */
export function createExposureReport(metrics: Metrics, log: Log): ExposureParts['onLook'] {
  let before: boolean | undefined
  // Not 0 before anybody has looked.
  metrics.appPortExposed.remove()
  return (isExposed) => {
    if (isExposed === undefined) metrics.appPortExposed.remove()
    else metrics.appPortExposed.set(isExposed ? 1 : 0)
    if (isExposed === true && before !== true)
      log.warn('The app can be reached around the gate, on the address of this pod; let it listen on 127.0.0.1 alone')
    if (isExposed === false && before === true) log.info('The app can no longer be reached around the gate')
    before = isExposed
  }
}
