// What does on-call see? The panels of the dashboard, row by row, each with its queries. scripts/documents/dashboard.ts makes
// the file for Grafana of them.

export interface Target {
  readonly query: string
  /** The name of a line, with labels in double braces. */
  readonly legend: string
}

export interface Panel {
  readonly title: string
  readonly description: string
  readonly kind: 'stat' | 'timeseries' | 'table'
  readonly unit: 'short' | 's' | 'percentunit' | 'reqps' | 'ops' | 'bytes' | 'bool'
  readonly targets: readonly Target[]
  /** Of a stat: green below the first, orange from it on, red from the second on. */
  readonly warnAt?: readonly [orange: number, red: number]
  /** Of a stat: words for values. */
  readonly words?: Readonly<Record<number, string>>
  readonly isStacked?: boolean
}

export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

/** The series of the chosen pods. */
function of(metric: string, labels = ''): string {
  return `${metric}{namespace=~"$namespace",pod=~"$pod"${labels === '' ? '' : `,${labels}`}}`
}

/** Of a metric of Node: other programs have the same, so only those of gates. */
function ofNode(metric: string): string {
  return `${of(metric)} and on (job, instance) sidegate_build_info`
}

function rate(metric: string, labels = ''): string {
  return `rate(${of(metric, labels)}[$__rate_interval])`
}

function quantile(share: number, histogram: string, labels = '', by = 'le'): string {
  return `histogram_quantile(${share}, sum by (${by}) (${rate(`${histogram}_bucket`, labels)}))`
}

// At the moment of the scrape: against time() an age would grow by the interval of the scrape.
function age(metric: string): string {
  return `timestamp(${of(metric)}) - ${of(metric)}`
}

const LAST_HEARD = 'sidegate_revocation_last_heard_timestamp_seconds'
const NOT_ADMITTED = 'decision=~"refuse|shadow"'
const listAge = `(${age(LAST_HEARD)}) and ${of(LAST_HEARD)} > 0`
const p50AndP99 = (histogram: string, labels = '', name = ''): readonly Target[] => [
  { query: quantile(0.5, histogram, labels), legend: `${name}p50` },
  { query: quantile(0.99, histogram, labels), legend: `${name}p99` },
]
const line = (
  title: string,
  unit: Panel['unit'],
  description: string,
  ...targets: readonly (readonly [query: string, legend: string])[]
): Panel => ({
  ...{ title, unit, description, kind: 'timeseries' },
  targets: targets.map(([query, legend]) => ({ query, legend })),
})
const stat = (
  title: string,
  unit: Panel['unit'],
  description: string,
  query: string,
  more: Pick<Panel, 'warnAt' | 'words'> = {},
): Panel => ({ title, unit, description, kind: 'stat', targets: [{ query, legend: '' }], ...more })

export const dashboardRows: readonly Row[] = [
  {
    title: 'Now',
    panels: [
      stat('Gates', 'short', 'Gates that Prometheus reaches.', `count(${of('sidegate_build_info')})`),
      stat(
        'Alerts',
        'short',
        'Alerts of Sidegate that fire. Each leads to its section of the page of operations.',
        'count(ALERTS{alertname=~"Sidegate.*",alertstate="firing",namespace=~"$namespace",pod=~"$pod"}) or vector(0)',
        { warnAt: [1, 1] },
      ),
      stat(
        'List',
        'short',
        'Whether every gate has read the revocation list in full and follows it. Gates with a list in memory say no.',
        `min(${of('sidegate_revocation_synced')})`,
        { words: { 0: 'not in sync', 1: 'in sync' } },
      ),
      stat(
        'Oldest list',
        's',
        'How long ago the gate that has waited longest heard from Redis. Empty where lists are in memory.',
        `max(${listAge})`,
        { warnAt: [5, 15] },
      ),
      stat(
        'Refused',
        'percentunit',
        'Share of requests that are refused, or would be without shadow mode.',
        `sum(${rate('sidegate_decisions_total', NOT_ADMITTED)}) / sum(${rate('sidegate_decisions_total')})`,
        { warnAt: [0.1, 0.2] },
      ),
      stat(
        'Decision p99',
        's',
        'What 99 of 100 decisions stay below.',
        quantile(0.99, 'sidegate_overhead_seconds', 'phase="decide"'),
        { warnAt: [0.01, 0.025] },
      ),
      stat(
        'Degraded',
        'ops',
        'Decisions a second without a fresh list, 503 with whenStale deny and admitted with allow, or without fresh keys.',
        `sum(${rate('sidegate_degraded_decisions_total')})`,
        { warnAt: [0.001, 0.001] },
      ),
      stat(
        'In shadow mode',
        'short',
        'Gates that refuse nothing.',
        `count(${of('sidegate_enforcement_info', 'mode="shadow"')}) or vector(0)`,
        { warnAt: [1, 1] },
      ),
    ],
  },
  {
    title: 'Decisions',
    panels: [
      {
        ...line('Decisions', 'reqps', 'Every request is one decision.', [
          `sum by (decision) (${rate('sidegate_decisions_total')})`,
          '{{decision}}',
        ]),
        isStacked: true,
      },
      line('Refusals and errors by reason', 'reqps', 'docs/reasons.md has every reason. Empty while there are none.', [
        `sum by (reason) (${rate('sidegate_decisions_total', 'decision=~"refuse|shadow|error"')}) > 0`,
        '{{reason}}',
      ]),
      line('Refused, of all, by pod', 'percentunit', 'One pod alone: its settings, keys or list.', [
        `sum by (namespace, pod) (${rate('sidegate_decisions_total', NOT_ADMITTED)}) / sum by (namespace, pod) (${rate('sidegate_decisions_total')})`,
        '{{pod}}',
      ]),
      line('Answers by status', 'reqps', '499: the client left first.', [
        `sum by (code) (${rate('sidegate_requests_total')})`,
        '{{code}}',
      ]),
    ],
  },
  {
    title: 'Revocation',
    panels: [
      line('Age of the list', 's', 'From maxStaleness on, decisions are degraded.', [listAge, '{{pod}}']),
      {
        ...line('Propagation', 's', 'From the time of a rule in Redis to its enforcement, as the clocks tell it.'),
        targets: p50AndP99('sidegate_revocation_propagation_seconds'),
      },
      line(
        'Rules',
        'short',
        'Of the gate that holds most.',
        [`max by (kind) (${of('sidegate_revocation_rules')})`, '{{kind}}'],
        [`sum(increase(${of('sidegate_revocation_healed_rules_total')}[$__rate_interval]))`, 'written back'],
        [`max(increase(${of('sidegate_revocation_overruled_entries_total')}[$__rate_interval]))`, 'overruled'],
      ),
      line('Memory of the list', 'bytes', 'The local copy of each gate.', [
        of('sidegate_revocation_memory_bytes'),
        '{{pod}}',
      ]),
      line('Reads of the log', 'ops', 'full: from the beginning; follow: what is new; heal: lost rules.', [
        `sum by (type, result) (${rate('sidegate_revocation_reads_total')})`,
        '{{type}} {{result}}',
      ]),
    ],
  },
  {
    title: 'Time',
    panels: [
      {
        ...line('Overhead against the app', 's', 'What the gate adds, and how long the app takes to its first byte.'),
        targets: [
          ...p50AndP99('sidegate_overhead_seconds', 'phase="decide"', 'decide '),
          ...p50AndP99('sidegate_overhead_seconds', 'phase="forward"', 'forward '),
          ...p50AndP99('sidegate_upstream_response_seconds', '', 'app '),
        ],
      },
      {
        ...line('What clients waited', 's', 'From the first byte of the request to the last of the answer.'),
        targets: p50AndP99('sidegate_request_duration_seconds'),
      },
      line(
        'Failures of the app, and clients that left',
        'reqps',
        'By reason.',
        [`sum by (reason) (${rate('sidegate_upstream_errors_total')})`, '{{reason}}'],
        [`sum(${rate('sidegate_client_aborts_total')})`, 'client left'],
      ),
      line(
        'Headers left out',
        'ops',
        'Header lines of requests that the app did not get, and identity headers whose claim is too long or no text.',
        [`sum by (why) (${rate('sidegate_dropped_headers_total')})`, '{{why}}'],
        [`sum by (why) (${rate('sidegate_identity_headers_left_out_total')})`, 'identity: {{why}}'],
      ),
      line(
        'Connections',
        'short',
        'Of clients, by state, and the rate of those refused.',
        [`sum by (state) (${of('sidegate_connections')})`, '{{state}}'],
        [`sum by (cause) (${rate('sidegate_connections_refused_total')})`, 'refused: {{cause}}'],
      ),
      line('Requests in flight', 'short', 'By pod.', [of('sidegate_requests_in_flight'), '{{pod}}']),
    ],
  },
  {
    title: 'Tokens and keys',
    panels: [
      line('Verifications', 'ops', 'A remembered token costs next to nothing, a new one a signature.', [
        `sum by (algorithm, remembered) (${rate('sidegate_verify_duration_seconds_count')})`,
        '{{algorithm}} remembered: {{remembered}}',
      ]),
      line(
        'Remembered tokens',
        'short',
        'All gates together.',
        [`sum(${of('sidegate_token_memory_entries')})`, 'remembered'],
        [`sum(${rate('sidegate_token_memory_evictions_total')})`, 'thrown out a second'],
      ),
      line('Age of keys', 's', 'Fetched every ten minutes, kept for 24 hours.', [
        `max by (issuer) (${age('sidegate_jwks_last_success_timestamp_seconds')})`,
        '{{issuer}}',
      ]),
      line('Keys', 'short', 'Of the gate that has fewest.', [
        `min by (issuer) (${of('sidegate_jwks_keys')})`,
        '{{issuer}}',
      ]),
      line('Fetches of keys', 'ops', 'By result.', [
        `sum by (issuer, result) (${rate('sidegate_jwks_fetches_total')})`,
        '{{issuer}} {{result}}',
      ]),
      line(
        'Unknown key ids',
        'ops',
        'fetched: waits for a fetch of the keys; cooldown: a fetch did not find the key a moment ago; turned_away: too many wait.',
        [`sum by (issuer, action) (${rate('sidegate_jwks_unknown_kid_total')})`, '{{issuer}} {{action}}'],
      ),
    ],
  },
  {
    title: 'Refresh and streams',
    panels: [
      line('Refreshes', 'ops', 'By result.', [`sum by (result) (${rate('sidegate_refresh_total')})`, '{{result}}']),
      line(
        'Life left in tokens',
        's',
        'At the decision: the tenth that is nearest to its end, and the half.',
        [quantile(0.1, 'sidegate_token_remaining_seconds', '', 'le, issuer'), '{{issuer}} p10'],
        [quantile(0.5, 'sidegate_token_remaining_seconds', '', 'le, issuer'), '{{issuer}} p50'],
      ),
      line('Open streams and tunnels', 'short', 'They end with their token.', [
        `sum by (type) (${of('sidegate_guarded_connections')})`,
        '{{type}}',
      ]),
      line('Ended by the gate', 'ops', 'By reason.', [
        `sum by (reason) (${rate('sidegate_guarded_connections_ended_total')})`,
        '{{reason}}',
      ]),
    ],
  },
  {
    title: 'Redis',
    panels: [
      line('Connection', 'bool', '1 while it stands; also while Redis hangs.', [of('sidegate_redis_up'), '{{pod}}']),
      line('Errors', 'ops', 'By kind; the page of operations says what each means.', [
        `sum by (kind) (${rate('sidegate_redis_errors_total')})`,
        '{{kind}}',
      ]),
      line('Reconnects', 'ops', 'By pod.', [rate('sidegate_redis_reconnects_total'), '{{pod}}']),
      line('Log ahead of the clock', 's', 'Beyond an hour, lifts by other programs do not count: begin a new list.', [
        of('sidegate_revocation_log_ahead_seconds'),
        '{{pod}}',
      ]),
      line('Entries not understood', 'short', 'Written by a newer version: upgrade the gates that show them.', [
        of('sidegate_revocation_not_understood_entries'),
        '{{pod}}',
      ]),
      line('May evict rules', 'bool', '1 where maxmemory-policy has to be noeviction and is not.', [
        of('sidegate_redis_eviction_unsafe'),
        '{{pod}}',
      ]),
    ],
  },
  {
    title: 'Runtime',
    panels: [
      line('Event loop, 99th percentile', 's', 'About 10 ms are its own resolution.', [
        ofNode('nodejs_eventloop_lag_p99_seconds'),
        '{{pod}}',
      ]),
      line('Resident memory', 'bytes', 'By pod.', [ofNode('process_resident_memory_bytes'), '{{pod}}']),
      line('Collecting garbage', 'percentunit', 'Share of the time.', [
        `sum by (namespace, pod) (${rate('nodejs_gc_duration_seconds_sum')} and on (job, instance) sidegate_build_info)`,
        '{{pod}}',
      ]),
      line('Processor', 'short', 'Cores in use.', [
        `${rate('process_cpu_seconds_total')} and on (job, instance) sidegate_build_info`,
        '{{pod}}',
      ]),
      line(
        'Workers',
        'short',
        'Processes that serve requests, those that ended without being told to, and those with other settings.',
        [of('sidegate_workers'), '{{pod}}'],
        [of('sidegate_workers_with_other_settings'), 'other settings: {{pod}}'],
        [`sum(increase(${of('sidegate_worker_restarts_total')}[$__rate_interval]))`, 'replaced'],
      ),
      line('Log lines left out', 'ops', 'rate: too many refusals; reader: too slow a reader.', [
        `sum by (cause) (${rate('sidegate_log_lines_left_out_total')})`,
        '{{cause}}',
      ]),
    ],
  },
  {
    title: 'What is running',
    panels: [
      {
        ...line('Versions', 'short', 'Of the gate and of Node.', [
          `count by (version, node_version) (${of('sidegate_build_info')})`,
          '',
        ]),
        kind: 'table',
      },
      {
        ...line('Enforcement', 'short', 'How decisions are enforced, by number of gates.', [
          `count by (mode, when_stale) (${of('sidegate_enforcement_info')})`,
          '',
        ]),
        kind: 'table',
      },
      line(
        'Settings',
        'bool',
        'Whether the last reload was taken over, and reloads that failed.',
        [`min by (namespace, pod) (${of('sidegate_config_last_reload_successful')})`, '{{pod}} taken over'],
        [`sum(increase(${of('sidegate_config_reloads_total', 'result="error"')}[$__rate_interval]))`, 'failed'],
      ),
      line('Age of the settings', 's', 'Since they were last taken over: what began at that time may come from them.', [
        age('sidegate_config_last_reload_success_timestamp_seconds'),
        '{{pod}}',
      ]),
      line('App reached around the gate', 'bool', 'Has to be 0. Absent where the app is on another machine.', [
        of('sidegate_app_port_exposed'),
        '{{pod}}',
      ]),
    ],
  },
]
