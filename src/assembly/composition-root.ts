// The composition root: reads top to bottom as the object graph, then the order in which it starts, changes and stops.
// What lives as long as the process is made once; what depends on reloadable settings is one object that a reload replaces.
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/options.ts'
import { createLifetime } from '../gate/open-connections.ts'
import { createLeaving } from '../http/drain.ts'
import { closeServer, listenOn } from '../http/listener/listen.ts'
import type { Clock } from '../model/clock.ts'
import type { GarbageCollectors } from '../runtime/garbage.ts'
import { watchLoopLag } from '../runtime/loop-lag.ts'
import { createAdminServer } from '../servers/admin/server.ts'
import { createProxyServer } from '../servers/proxy/server.ts'
import type { Log } from '../telemetry/logs/log.ts'
import type { LogOutput } from '../telemetry/logs/log-output.ts'
import { expose } from '../telemetry/metrics/exposition.ts'
import { createMetrics } from '../telemetry/metrics/metrics.ts'
import { createRequestObserver, declareSeries } from '../telemetry/metrics/observe.ts'
import { measurementsOf } from '../telemetry/metrics/totals.ts'
import { createRetiredKeys } from '../token/keys/retired-keys.ts'
import type { Issuer } from '../token/verify.ts'
import { verifyPast } from '../token/verify-past.ts'
import { outsideAddresses, watchExposure } from '../upstream/exposure.ts'
import { createAppProbe } from '../upstream/probe.ts'
import type { Siblings } from '../workers/cluster-member.ts'
import { buildAccessLog } from './access-lines.ts'
import { buildAdminApi, reportUnusableToken } from './admin-api.ts'
import { createIssuers } from './issuers.ts'
import { createExposureReport, createLifetimeObserver, createRevocationObserver, readHoldings } from './observers.ts'
import { createUnfinished } from './open-requests.ts'
import { createOutbound } from './outbound.ts'
import type { Environment } from './proxy-choice.ts'
import { createReadiness } from './readiness.ts'
import { buildRevocations, createRevocationTimes } from './revocations.ts'
import type { Materials } from './settings/file-contents.ts'
import { keepUntilRestart } from './settings/restart-settings.ts'
import { type BuiltGate, buildGate } from './settings/settings-in-force.ts'

export interface SidegateParts {
  readonly config: Config
  readonly materials: Materials
  readonly log: Log
  /** Where the log goes, where its reader may be slow. */
  readonly logOutput?: LogOutput
  readonly clock: Clock
  /** Milliseconds that only move forward, with fractions. */
  readonly monotonic: Clock
  /** The variables that may name a proxy. */
  readonly environment: Environment
  readonly version: string
  /** Absent: V8 collects in its own time. */
  readonly garbage?: GarbageCollectors | undefined
  /** The other processes of this gate, of which the first has the admin port; absent: there are none. */
  readonly siblings?: Siblings | undefined
}

export interface Sidegate {
  /** Listens on both ports and connects to what is outside. Rejects where a port cannot be had; waits for nothing else. */
  start(): Promise<{ readonly proxy: AddressInfo; readonly admin: AddressInfo }>
  /** Takes over new settings for all requests that begin from now on; `waiting` names those that had to be left out. */
  reload(config: Config, materials: Materials, waiting?: readonly string[]): void
  /** Counts and logs settings that could not be applied; the previous ones stay in force. */
  reloadFailed(problems: readonly string[]): void
  /** Not ready, no new connections, open requests finish within `drainTimeout`, then everything is closed. */
  stop(): Promise<void>
}

export function createSidegate(parts: SidegateParts): Sidegate {
  const { log, logOutput, clock, monotonic, garbage, siblings } = parts
  let { config, materials } = parts
  let isDraining = false

  const metrics = createMetrics()
  const outbound = createOutbound({ proxy: () => config.outbound.proxy, environment: parts.environment, log })
  const retired = createRetiredKeys(clock, () => config.refresh?.maxSession ?? 0)
  const issuers = createIssuers({
    ...{ outbound, clock, monotonic, metrics, log, retired },
    onKeysChanged: () => lifetime.askAll(),
  })
  const revocationTimes = createRevocationTimes(config)
  const { revocations, entries } = buildRevocations({
    config,
    times: revocationTimes,
    materials: () => materials,
    clock,
    monotonic,
    observe: createRevocationObserver(metrics),
    log,
  })

  const exchanges = createUnfinished()
  const loop = watchLoopLag(monotonic)
  const exposure = watchExposure({
    upstream: () => config.upstream,
    addresses: () => outsideAddresses(networkInterfaces()),
    onLook: createExposureReport(metrics, log),
  })
  let trusted: readonly Issuer[] = []
  let gate = build()

  function build(): BuiltGate {
    trusted = issuers.build(config, materials)
    const names = config.issuers.map(({ issuer }) => issuer)
    declareSeries(metrics, names, config.mode)
    metrics.enforcementInfo.reset()
    metrics.enforcementInfo.set({ mode: config.mode, when_stale: config.revocation.whenStale }, 1)
    return buildGate({
      ...{ config, materials, issuers: trusted, revocations },
      ...{ metrics, log, outbound, clock, monotonic },
      ...{ entries, track: exchanges.add, lagMs: loop.lagMs },
    })
  }

  const lifetime = createLifetime({
    clock,
    isEnforced: () => config.mode === 'enforce',
    ask: (view) => gate.readmit(view),
    ...createLifetimeObserver(metrics),
  })
  revocations.onChange(() => lifetime.askAll())

  const count = createRequestObserver(metrics, clock)
  const accessLog = buildAccessLog({ config, metrics, log, logOutput, monotonic })
  const leaving = createLeaving(monotonic)
  const leave = () => {
    if (leaving.begin()) log.info('Leaving: each connection is closed after its next answer')
  }
  const proxy = createProxyServer({
    current: () => gate.policy,
    lifetime,
    observe: (outcome) => {
      count(outcome)
      accessLog.write(outcome)
    },
    log,
    monotonicMs: monotonic,
    maxConnections: config.limits.maxConnections,
    onRefusedConnection: (cause) => metrics.connectionsRefused.inc({ cause }),
    certificates: materials.listenerCertificates,
    collectGarbage: garbage?.young,
    isLeaving: leaving.isUnderWay,
  })

  const checks = createReadiness({
    issuers: () => trusted,
    revocations,
    isDraining: () => isDraining,
    monotonic,
    onFirstReady: () => garbage?.all(),
  })
  const readGauges = () => {
    readHoldings(metrics, revocations)
    metrics.requestsInFlight.set(proxy.inFlight())
    const { open, handshake } = proxy.connections()
    metrics.connections.set({ state: 'open' }, open)
    metrics.connections.set({ state: 'handshake' }, handshake)
    metrics.tokenMemoryEntries.set(gate.memory.size())
  }
  const api = buildAdminApi({
    config: () => config,
    materials: () => materials,
    keepRefreshToken: () => gate.keepRefreshToken,
    identify: (token) => verifyPast(token, trusted, retired),
    ...{ revocations, clock, log },
  })
  siblings?.answer({
    api,
    checks,
    leave,
    measurements: () => {
      readGauges()
      return measurementsOf(metrics.registry)
    },
  })
  const admin = createAdminServer({
    isAlive: async () => true,
    checks,
    leave,
    metrics: (accept) => {
      readGauges()
      return expose(metrics.registry, accept)
    },
    keySet: () => materials.ownKeys?.publicSet,
    appProbe: createAppProbe({ probes: () => config.admin.appProbes }),
    api,
    onError: (error) => log.error({ err: error }, 'Cannot answer on the admin port'),
  })

  /** Both ports or none: a gate that could not start must not look alive. */
  async function listenOnBoth(): Promise<{ proxy: AddressInfo; admin: AddressInfo }> {
    if (siblings !== undefined) return { admin: siblings.admin, proxy: await proxy.listen(config.listen) }
    const adminAddress = await listenOn(admin, config.admin.listen)
    try {
      return { admin: adminAddress, proxy: await proxy.listen(config.listen) }
    } catch (error) {
      await closeServer(admin)
      throw error
    }
  }

  return {
    start: async () => {
      metrics.buildInfo.set({ version: parts.version, node_version: process.version }, 1)
      metrics.configLastReloadSuccessful.set(1)
      metrics.configLastReloadSuccess.set(clock() / 1000)
      for (const result of ['ok', 'error']) metrics.configReloads.inc({ result }, 0)
      for (const cause of ['maximum', 'handshakes', 'handshake_failed']) metrics.connectionsRefused.inc({ cause }, 0)
      metrics.workers.set(1)
      if (siblings === undefined) reportUnusableToken(log, materials.adminToken)
      revocations.start()
      const addresses = await listenOnBoth()
      exposure.start()
      log.info({ listen: addresses.proxy, admin: addresses.admin, upstream: config.upstream }, 'Sidegate is running')
      return addresses
    },

    reload: (given, nextMaterials, waiting = []) => {
      // First, as it alone can fail: then everything before stays in force
      const { listenerCertificates } = nextMaterials
      if (
        listenerCertificates !== undefined &&
        !isDeepStrictEqual(listenerCertificates, materials.listenerCertificates)
      )
        proxy.renewCertificates(listenerCertificates)
      const kept = keepUntilRestart(config, given)
      const settings = [...new Set([...waiting, ...kept.waiting, ...waitingFiles(materials, nextMaterials)])]
      if (settings.length > 0) log.warn({ settings }, 'These settings take effect only after a restart')
      config = kept.config
      materials = nextMaterials
      revocationTimes.take(config)
      gate = build()
      lifetime.askAll()
      void exposure.look()
      metrics.configReloads.inc({ result: 'ok' })
      metrics.configLastReloadSuccessful.set(1)
      metrics.configLastReloadSuccess.set(clock() / 1000)
      log.info('Settings and keys reloaded')
    },

    reloadFailed: (problems) => {
      metrics.configReloads.inc({ result: 'error' })
      metrics.configLastReloadSuccessful.set(0)
      log.error({ problems }, 'Cannot apply the new settings; keeping the previous ones')
    },

    stop: async () => {
      isDraining = true
      log.info({ open: proxy.inFlight() }, 'Draining')
      await proxy.drain(config.limits.drainTimeout)
      lifetime.close()
      loop.stop()
      exposure.stop()
      issuers.stop()
      // What the identity provider answers now has to be in Redis before the connection goes.
      await exchanges.settled()
      await revocations.stop()
      if (siblings === undefined) await closeServer(admin)
      accessLog.close()
      log.info('Stopped')
    },
  }
}

/** The connection to Redis has its certificates from the start on. */
function waitingFiles(before: Materials, after: Materials): readonly string[] {
  return before.redisCertificates === after.redisCertificates ? [] : ['revocation.caFile']
}
