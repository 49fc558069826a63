// What makes each alert fire, and what looks like it and must not? One row for each alert, told as series for promtool: a
// value a minute, `a+bxn` being n steps of b. Every series gets the labels of one pod.

export interface AlertStory {
  /** Series that make it fire, and how it then tells its `$value`. */
  readonly fires: Readonly<Record<string, string>>
  readonly value?: string
  /** Labels that the alert has besides those of the pod. */
  readonly labels?: Readonly<Record<string, string>>
  /** Series of a gate that is well, or whose trouble is another one. */
  readonly stays: readonly Readonly<Record<string, string>>[]
  /** When it is looked at. Default 30m. */
  readonly at?: string
}

const ISSUER = { issuer: 'https://id.example.com' }
const PERMITS = 'sidegate_decisions_total{decision="permit",reason="none",issuer="https://id.example.com"}'
const EXPIRED = 'sidegate_decisions_total{decision="refuse",reason="token_expired",issuer="https://id.example.com"}'
const DECIDED = 'sidegate_overhead_seconds_count{phase="decide"}'
const decidedWithin = (bound: string) => `sidegate_overhead_seconds_bucket{phase="decide",le="${bound}"}`
const propagatedWithin = (bound: string) => `sidegate_revocation_propagation_seconds_bucket{le="${bound}"}`
const ofIssuer = (name: string, label: string) => `sidegate_${name}{issuer="https://id.example.com",${label}}`
const errorsOfKind = (kind: string) => `sidegate_redis_errors_total{kind="${kind}"}`

export const alertStories: Readonly<Record<string, AlertStory>> = {
  SidegateListStale: {
    // Heard from a minute after the start, and not since.
    fires: { sidegate_revocation_last_heard_timestamp_seconds: '60+0x60' },
    value: '29m 0s',
    stays: [
      // Two seconds old at each scrape, and a list in memory.
      { sidegate_revocation_last_heard_timestamp_seconds: '-2+60x60' },
      { sidegate_revocation_last_heard_timestamp_seconds: '0+0x60' },
    ],
  },
  SidegateListNotSynced: {
    fires: { sidegate_revocation_synced: '0x60', sidegate_redis_up: '0x60', [errorsOfKind('connection')]: '0+20x60' },
    stays: [
      { sidegate_revocation_synced: '1x60', sidegate_redis_up: '1x60' },
      // A list in memory.
      { sidegate_revocation_synced: '0x60', sidegate_redis_up: '0x60', [errorsOfKind('connection')]: '0x60' },
    ],
  },
  SidegatePropagationSlow: {
    fires: {
      [propagatedWithin('1')]: '0+9x60',
      [propagatedWithin('5')]: '0+10x60',
      [propagatedWithin('+Inf')]: '0+10x60',
    },
    value: '4.6s',
    stays: [{ [propagatedWithin('1')]: '0+10x60', [propagatedWithin('+Inf')]: '0+10x60' }],
  },
  SidegateDegradedDecisions: {
    fires: { 'sidegate_degraded_decisions_total{dependency="revocation",policy="allow"}': '0+1x60' },
    labels: { policy: 'allow' },
    stays: [
      { 'sidegate_degraded_decisions_total{dependency="revocation",policy="allow"}': '7x60' },
      { 'sidegate_degraded_decisions_total{dependency="keys",policy="deny"}': '0+1x60' },
    ],
  },
  SidegateRedisMayEvict: {
    fires: { sidegate_redis_eviction_unsafe: '1x60' },
    stays: [{ sidegate_redis_eviction_unsafe: '0x60' }],
  },
  SidegateRedisDown: {
    fires: { sidegate_redis_up: '0x60', [errorsOfKind('connection')]: '0+20x60' },
    stays: [
      { sidegate_redis_up: '1x60', [errorsOfKind('connection')]: '0+20x60' },
      { sidegate_redis_up: '0x60', [errorsOfKind('connection')]: '0x60' },
      // A failover, three minutes after it began.
      { sidegate_redis_up: '1x26 0x60', [errorsOfKind('connection')]: '0+20x60' },
    ],
  },
  SidegateRedisErrors: {
    fires: { [errorsOfKind('access')]: '0+1x60' },
    labels: { kind: 'access' },
    stays: [{ [errorsOfKind('access')]: '3x60', [errorsOfKind('connection')]: '0+1x60' }],
  },
  SidegateLogLostRules: {
    fires: { sidegate_revocation_healed_rules_total: '0x20 1500x60' },
    value: '1.5k',
    stays: [{ sidegate_revocation_healed_rules_total: '1500x60' }],
  },
  SidegateLogNotUnderstood: {
    fires: { sidegate_revocation_not_understood_entries: '0x20 3x60' },
    value: '3',
    stays: [{ sidegate_revocation_not_understood_entries: '0x60' }],
  },
  SidegateKeysStale: {
    fires: { 'sidegate_jwks_last_success_timestamp_seconds{issuer="https://id.example.com"}': '60+0x100' },
    labels: ISSUER,
    at: '80m',
    stays: [
      {
        'sidegate_jwks_last_success_timestamp_seconds{issuer="https://id.example.com"}': '-500+60x100',
        'sidegate_jwks_keys{issuer="https://id.example.com"}': '2x100',
      },
    ],
  },
  SidegateUnknownKeyBurst: {
    fires: { [ofIssuer('decisions_total', 'decision="refuse",reason="key_unknown"')]: '0+300x60' },
    value: '5',
    labels: ISSUER,
    stays: [
      { [ofIssuer('decisions_total', 'decision="refuse",reason="key_unknown"')]: '0+30x60', [EXPIRED]: '0+300x60' },
    ],
  },
  SidegateRefreshFailing: {
    fires: {
      [ofIssuer('refresh_total', 'result="issued"')]: '0+90x60',
      [ofIssuer('refresh_total', 'result="failed"')]: '0+10x60',
    },
    value: '10%',
    labels: ISSUER,
    stays: [
      {
        [ofIssuer('refresh_total', 'result="issued"')]: '0+99x60',
        [ofIssuer('refresh_total', 'result="failed"')]: '0+1x60',
      },
      // No traffic at all, and sessions that are over.
      {
        [ofIssuer('refresh_total', 'result="issued"')]: '0x60',
        [ofIssuer('refresh_total', 'result="failed"')]: '0x60',
      },
      {
        [ofIssuer('refresh_total', 'result="issued"')]: '0+1x60',
        [ofIssuer('refresh_total', 'result="session_over"')]: '0+9x60',
      },
    ],
  },
  SidegateRefusalSpike: {
    fires: { [PERMITS]: '0+600x150', [EXPIRED]: '0+6x90 1140+600x60' },
    value: '50%',
    at: '110m',
    stays: [
      // A fifth and more, but as ever; and a handful.
      { [PERMITS]: '0+600x150', [EXPIRED]: '0+600x150' },
      { [PERMITS]: '0+6x150', [EXPIRED]: '0x90 6+6x60' },
      // The provider of the keys is away, or somebody sends invented key ids: SidegateKeysStale and SidegateUnknownKeyBurst.
      {
        [PERMITS]: '0+600x150',
        [ofIssuer('decisions_total', 'decision="refuse",reason="keys_unavailable"')]: '0+6x90 1140+600x60',
      },
    ],
  },
  SidegateOverloaded: {
    fires: { [ofIssuer('decisions_total', 'decision="refuse",reason="overloaded"')]: '0+60x60' },
    value: '1',
    stays: [{ [ofIssuer('decisions_total', 'decision="refuse",reason="overloaded"')]: '0+3x60', [EXPIRED]: '0+60x60' }],
  },
  SidegateInternalError: {
    fires: { 'sidegate_decisions_total{decision="error",reason="internal",issuer="none"}': '0x25 1x60' },
    stays: [{ 'sidegate_decisions_total{decision="error",reason="internal",issuer="none"}': '1x60' }],
  },
  SidegateUpstreamErrors: {
    fires: {
      'sidegate_upstream_errors_total{reason="refused"}': '0+30x60',
      'sidegate_upstream_errors_total{reason="reset"}': '0+30x60',
      'sidegate_requests_total{method="GET",code="200",decision="permit"}': '0+540x60',
      'sidegate_requests_total{method="GET",code="502",decision="error"}': '0+60x60',
    },
    value: '10%',
    stays: [
      {
        'sidegate_upstream_errors_total{reason="reset"}': '0+6x60',
        'sidegate_requests_total{method="GET",code="200",decision="permit"}': '0+600x60',
      },
      // One of two, on an app that is hardly asked.
      {
        'sidegate_upstream_errors_total{reason="reset"}': '0+1x60',
        'sidegate_requests_total{method="GET",code="200",decision="permit"}': '0+2x60',
      },
    ],
  },
  SidegateOverheadHigh: {
    fires: {
      [decidedWithin('0.025')]: '0+540x60',
      [decidedWithin('0.1')]: '0+600x60',
      [decidedWithin('+Inf')]: '0+600x60',
      [DECIDED]: '0+600x60',
    },
    value: '92.5ms',
    stays: [
      { [decidedWithin('0.025')]: '0+600x60', [decidedWithin('+Inf')]: '0+600x60', [DECIDED]: '0+600x60' },
      {
        [decidedWithin('0.025')]: '0x60',
        [decidedWithin('0.1')]: '0+6x60',
        [decidedWithin('+Inf')]: '0+6x60',
        [DECIDED]: '0+6x60',
      },
    ],
  },
  SidegateEventLoopSaturated: {
    fires: {
      nodejs_eventloop_lag_p99_seconds: '0.25x60',
      'sidegate_build_info{version="1",node_version="v24"}': '1x60',
    },
    value: '250ms',
    stays: [
      { nodejs_eventloop_lag_p99_seconds: '0.02x60', 'sidegate_build_info{version="1",node_version="v24"}': '1x60' },
      // Another program on Node.
      { nodejs_eventloop_lag_p99_seconds: '0.25x60' },
    ],
  },
  SidegateReloadFailed: {
    fires: { sidegate_config_last_reload_successful: '0x60' },
    stays: [{ sidegate_config_last_reload_successful: '1x60' }],
  },
  SidegateNotEnforcing: {
    fires: { 'sidegate_enforcement_info{mode="shadow",when_stale="deny"}': '1x100' },
    labels: { mode: 'shadow', when_stale: 'deny' },
    at: '70m',
    stays: [
      { 'sidegate_enforcement_info{mode="enforce",when_stale="deny"}': '1x100' },
      { 'sidegate_enforcement_info{mode="shadow",when_stale="deny"}': '_x30 1x100' },
    ],
  },
  SidegateAppPortExposed: {
    fires: { sidegate_app_port_exposed: '1x60' },
    stays: [{ sidegate_app_port_exposed: '0x60' }, { sidegate_app_port_exposed: '1x20 0x60' }],
  },
}
