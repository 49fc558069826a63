// Every metric, once: name, type, labels, help. The only door to prom-client. Labels come from closed sets, so that no
// client can grow the number of series: never a subject, jti, path, key id or raw issuer.
import { type Aggregator, Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from 'prom-client'
import { createCounter, createHistogram, type Series } from './series.ts'

const OVERHEAD_SECONDS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25]
const REQUEST_SECONDS = [0.001, 0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
// A series for each algorithm, remembered or not: few bounds, between what a recollection, RS256, ES256 and ES512 take.
const VERIFY_SECONDS = [0.00001, 0.0001, 0.001, 0.01]
const REMAINING_SECONDS = [5, 15, 30, 60, 120, 300, 900, 3600, 86_400]
const PROPAGATION_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]

/** Fifty series about the spaces of the heap and the types of handles, which nobody could act on; their sums stay. */
const LEFT_OUT = [
  ...['total', 'used', 'available'].map((name) => `nodejs_heap_space_size_${name}_bytes`),
  ...['nodejs_active_resources', 'nodejs_active_handles'],
]
/** What is asked of the collector is how much time it takes in all; and whether it ever stops the gate for long. */
const GARBAGE_SECONDS = [0.1]

export type Metrics = ReturnType<typeof createMetrics>

/** Makes the metrics in a registry of their own: the global one would mix two gates in one process. */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `sidegate_${name}`, help, labelNames, registers })
  /** `aggregator`: what several workers say as one gate; where each says the same thing, the worst counts. */
  const gauge = <L extends string>(name: string, help: string, aggregator: Aggregator, labelNames: readonly L[] = []) =>
    new Gauge({ name: `sidegate_${name}`, help, aggregator, labelNames, registers })
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labelNames: readonly L[] = []) =>
    new Histogram({ name: `sidegate_${name}`, help, buckets, labelNames, registers })

  const registered = <S extends Series>(series: S): S => {
    // Its types know only its own classes; it reads nothing but what is there
    registry.registerMetric(series as unknown as Metric)
    return series
  }
  /** Those that every request adds to. */
  const perRequest = {
    counter: <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
      registered(createCounter({ name: `sidegate_${name}`, help, labelNames })),
    histogram: <L extends string>(name: string, help: string, bounds: readonly number[], labelNames: readonly L[]) =>
      registered(createHistogram({ name: `sidegate_${name}`, help, labelNames }, bounds)),
  }

  collectDefaultMetrics({ register: registry, gcDurationBuckets: GARBAGE_SECONDS })
  for (const name of LEFT_OUT) registry.removeSingleMetric(name)

  return {
    registry,

    requests: perRequest.counter('requests_total', 'Requests answered', ['method', 'code', 'decision']),
    requestsInFlight: gauge('requests_in_flight', 'Requests being served', 'sum'),
    connections: gauge('connections', 'Connections of clients: open, or in their TLS handshake', 'sum', ['state']),
    connectionsRefused: counter(
      'connections_refused_total',
      'Connections of clients that ended before a request: too many, too many TLS handshakes, or a handshake that failed',
      ['cause'],
    ),
    requestDuration: perRequest.histogram('request_duration_seconds', 'What the client waited', REQUEST_SECONDS, [
      'decision',
    ]),
    overhead: perRequest.histogram('overhead_seconds', 'What Sidegate itself added', OVERHEAD_SECONDS, ['phase']),
    upstreamResponse: perRequest.histogram(
      'upstream_response_seconds',
      'Time to the first byte of the app',
      REQUEST_SECONDS,
      ['code_class'],
    ),
    upstreamErrors: counter('upstream_errors_total', 'Failures on the side of the app', ['reason']),
    clientAborts: counter('client_aborts_total', 'Clients that left first'),
    droppedHeaders: perRequest.counter(
      'dropped_headers_total',
      'Header lines of requests that the app did not get: odd characters in the name, read as a protected name, or on a list',
      ['why'],
    ),
    identityLeftOut: counter(
      'identity_headers_left_out_total',
      'Identity headers that the app did not get, counted once for each token: the claim is longer than 4 KiB, or no text',
      ['why'],
    ),

    decisions: perRequest.counter('decisions_total', 'Decisions, one per request', ['decision', 'reason', 'issuer']),
    shadowRefusals: counter('shadow_refusals_total', 'What shadow mode let through', ['reason', 'issuer']),
    degradedDecisions: counter('degraded_decisions_total', 'Decisions without a fresh list or fresh keys', [
      'dependency',
      'policy',
    ]),
    verifyDuration: perRequest.histogram('verify_duration_seconds', 'Signature and claims', VERIFY_SECONDS, [
      'algorithm',
      'remembered',
    ]),
    tokenMemoryEntries: gauge('token_memory_entries', 'Remembered verifications', 'sum'),
    tokenMemoryEvictions: counter('token_memory_evictions_total', 'Remembered verifications that had to leave'),
    tokenRemaining: perRequest.histogram('token_remaining_seconds', 'Life left at the decision', REMAINING_SECONDS, [
      'issuer',
    ]),

    revocationLastHeard: gauge(
      'revocation_last_heard_timestamp_seconds',
      'When the local copy of the list was last known to be current',
      'min',
    ),
    revocationSynced: gauge('revocation_synced', '1 when the list is read in full and followed', 'min'),
    revocationRules: gauge('revocation_rules', 'Rules that the local copy holds', 'max', ['kind']),
    revocationMemory: gauge('revocation_memory_bytes', 'Memory of the local copy', 'sum'),
    revocationPropagation: histogram(
      'revocation_propagation_seconds',
      'From the time of a rule in Redis to its enforcement here',
      PROPAGATION_SECONDS,
    ),
    revocationReads: counter('revocation_reads_total', 'Runs of the feed', ['type', 'result']),
    revocationHealed: counter('revocation_healed_rules_total', 'Rules written back to a log that had lost them'),

    revocationOverruled: counter(
      'revocation_overruled_entries_total',
      'Entries of the log that did not count, as a later copy of their rule was known',
    ),
    revocationNotUnderstood: gauge(
      'revocation_not_understood_entries',
      'Entries of the log that only a newer version understands: they are kept, and refuse no token here',
      'sum',
    ),
    revocationLogAhead: gauge(
      'revocation_log_ahead_seconds',
      'How far the newest entry of the log lies ahead of the clock of Redis',
      'sum',
    ),

    redisUp: gauge('redis_up', '1 while the connection to Redis stands', 'min'),
    redisReconnects: counter('redis_reconnects_total', 'New connections after the first'),
    redisErrors: counter('redis_errors_total', 'Errors of Redis and of the connection to it', ['kind']),
    redisEvictionUnsafe: gauge('redis_eviction_unsafe', '1 when Redis may evict rules', 'max'),

    guardedConnections: gauge('guarded_connections', 'Open streams and tunnels that end with their token', 'sum', [
      'type',
    ]),
    guardedConnectionsEnded: counter('guarded_connections_ended_total', 'Streams and tunnels that were ended', [
      'reason',
    ]),

    jwksLastSuccess: gauge('jwks_last_success_timestamp_seconds', 'When the keys were last fetched', 'min', ['issuer']),
    jwksKeys: gauge('jwks_keys', 'Keys that can be used', 'min', ['issuer']),
    jwksFetches: counter('jwks_fetches_total', 'Fetches of key sets', ['issuer', 'result']),
    jwksUnknownKeyIds: counter('jwks_unknown_kid_total', 'Tokens with a key id that no key has', ['issuer', 'action']),

    refresh: counter('refresh_total', 'Successors', ['issuer', 'result']),

    logLinesLeftOut: counter(
      'log_lines_left_out_total',
      'Lines left out of the log: there were too many refusals, or its reader was too slow',
      ['cause'],
    ),

    configLastReloadSuccessful: gauge('config_last_reload_successful', '1 when the last reload was taken over', 'min'),
    configLastReloadSuccess: gauge(
      'config_last_reload_success_timestamp_seconds',
      'When settings were last taken over',
      'min',
    ),
    configReloads: counter('config_reloads_total', 'Reloads of settings and key files', ['result']),
    enforcementInfo: gauge('enforcement_info', 'How decisions are enforced', 'max', ['mode', 'when_stale']),
    appPortExposed: gauge(
      'app_port_exposed',
      '1 when the app can be reached on the address of its pod, around the gate; absent where it is on another machine',
      'max',
    ),
    buildInfo: gauge('build_info', 'What is running', 'max', ['version', 'node_version']),

    workers: gauge('workers', 'Processes that serve requests', 'sum'),
    workersWithOtherSettings: gauge(
      'workers_with_other_settings',
      'Processes that serve requests by other settings than the gate has taken over',
      'sum',
    ),
    workerRestarts: counter('worker_restarts_total', 'Workers that ended without being told to, and were replaced'),
  }
}
