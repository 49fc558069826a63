// The metrics: exact names, types and labels, zeros from the start, both formats, and a number of series that no client can
// grow.
import { createServer } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Permit } from '../../../src/model/decision.ts'
import type { Outcome } from '../../../src/model/outcome.ts'
import { reasons, refuse } from '../../../src/model/refusal.ts'
import { expose } from '../../../src/telemetry/metrics/exposition.ts'
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts'
import { createRequestObserver, declareSeries } from '../../../src/telemetry/metrics/observe.ts'
import { createWorld, type Gateway, startGateway, stopGateways, sumOf, type World } from '../../support/gateway.ts'
import { listen } from '../../support/listen.ts'
import { type EchoOrigin, startApp, startEchoOrigin } from '../../support/origin.ts'
import { exchangeRaw } from '../../support/raw-client.ts'
import { startRedis } from '../../support/redis.ts'
import { jwksOf, makeKey, signToken, verifiedToken } from '../../support/tokens.ts'

/** Every metric, as operators and dashboards know it. */
const CONTRACT: Record<string, readonly [type: 'counter' | 'gauge' | 'histogram', labels: readonly string[]]> = {
  requests_total: ['counter', ['method', 'code', 'decision']],
  requests_in_flight: ['gauge', []],
  connections: ['gauge', ['state']],
  connections_refused_total: ['counter', ['cause']],
  request_duration_seconds: ['histogram', ['decision']],
  overhead_seconds: ['histogram', ['phase']],
  upstream_response_seconds: ['histogram', ['code_class']],
  upstream_errors_total: ['counter', ['reason']],
  client_aborts_total: ['counter', []],
  dropped_headers_total: ['counter', ['why']],
  identity_headers_left_out_total: ['counter', ['why']],
  decisions_total: ['counter', ['decision', 'reason', 'issuer']],
  shadow_refusals_total: ['counter', ['reason', 'issuer']],
  degraded_decisions_total: ['counter', ['dependency', 'policy']],
  verify_duration_seconds: ['histogram', ['algorithm', 'remembered']],
  token_memory_entries: ['gauge', []],
  token_memory_evictions_total: ['counter', []],
  token_remaining_seconds: ['histogram', ['issuer']],
  revocation_last_heard_timestamp_seconds: ['gauge', []],
  revocation_synced: ['gauge', []],
  revocation_rules: ['gauge', ['kind']],
  revocation_memory_bytes: ['gauge', []],
  revocation_propagation_seconds: ['histogram', []],
  revocation_reads_total: ['counter', ['type', 'result']],
  revocation_healed_rules_total: ['counter', []],
  revocation_overruled_entries_total: ['counter', []],
  revocation_log_ahead_seconds: ['gauge', []],
  revocation_not_understood_entries: ['gauge', []],
  redis_up: ['gauge', []],
  redis_reconnects_total: ['counter', []],
  redis_errors_total: ['counter', ['kind']],
  redis_eviction_unsafe: ['gauge', []],
  guarded_connections: ['gauge', ['type']],
  guarded_connections_ended_total: ['counter', ['reason']],
  jwks_last_success_timestamp_seconds: ['gauge', ['issuer']],
  jwks_keys: ['gauge', ['issuer']],
  jwks_fetches_total: ['counter', ['issuer', 'result']],
  jwks_unknown_kid_total: ['counter', ['issuer', 'action']],
  refresh_total: ['counter', ['issuer', 'result']],
  log_lines_left_out_total: ['counter', ['cause']],
  app_port_exposed: ['gauge', []],
  config_last_reload_successful: ['gauge', []],
  config_last_reload_success_timestamp_seconds: ['gauge', []],
  config_reloads_total: ['counter', ['result']],
  enforcement_info: ['gauge', ['mode', 'when_stale']],
  build_info: ['gauge', ['version', 'node_version']],
  workers: ['gauge', []],
  workers_with_other_settings: ['gauge', []],
  worker_restarts_total: ['counter', []],
}

let world: World
let app: EchoOrigin
beforeAll(async () => {
  world = createWorld()
  app = await startEchoOrigin()
})
afterEach(stopGateways)
afterAll(async () => {
  await app.close()
  world.remove()
})

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface Family {
  readonly type: string
  readonly samples: Sample[]
}

/** Reads either format strictly: every sample stands below the TYPE of its family, and no series comes twice. */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let current: [name: string, family: Family] | undefined
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line)
    if (type !== null) {
      const [, name = '', kind = ''] = type
      if (families.has(name)) throw new Error(`Repeated family ${name}`)
      current = [name, { type: kind, samples: [] }]
      families.set(...current)
    }
    if (line === '' || line.startsWith('#')) continue
    const [, name = '', labels = '', value = ''] = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? []
    if (name === '' || current === undefined || !name.startsWith(current[0])) throw new Error(`Stray line: ${line}`)
    const series = line.slice(0, line.lastIndexOf(' '))
    if (seen.has(series)) throw new Error(`Repeated series ${series}`)
    seen.add(series)
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text = '']) => [label, text])
    current[1].samples.push({ name, labels: Object.fromEntries(pairs), value: Number(value) })
  }
  return families
}

async function scrape(gate: Gateway, accept?: string) {
  const response = await gate.admin('/metrics', accept === undefined ? {} : { headers: { accept } })
  const text = await response.text()
  return { text, contentType: response.headers.get('content-type') ?? '', families: parse(text) }
}

const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5'

describe('the contract', () => {
  test('every metric exists with its name, type and help, and there is none besides', async () => {
    const { families, text } = await scrape(await startGateway(world.settings(app.url)))
    const ours = [...families].filter(([name]) => name.startsWith('sidegate_'))
    expect(Object.fromEntries(ours.map(([name, { type }]) => [name.slice('sidegate_'.length), type]))).toEqual(
      Object.fromEntries(Object.entries(CONTRACT).map(([name, [type]]) => [name, type])),
    )
    for (const name of families.keys()) expect(text).toMatch(new RegExp(`^# HELP ${name} \\S`, 'm'))
    expect(families.has('nodejs_eventloop_lag_seconds')).toBe(true)
    expect(families.has('process_resident_memory_bytes')).toBe(true)
  })

  test('every metric has exactly its labels', () => {
    const labelsByName = new Map<string, readonly string[]>()
    const { registry: _, ...metrics } = createMetrics()
    for (const metric of Object.values(metrics)) {
      const { name, labelNames } = metric as unknown as { name: string; labelNames: readonly string[] }
      labelsByName.set(name, labelNames)
    }
    for (const [name, [, labels]] of Object.entries(CONTRACT))
      expect([name, labelsByName.get(`sidegate_${name}`)]).toEqual([name, labels])
  })

  test('every reason has a series with 0 from the start, also for every issuer that can cause it', async () => {
    const gate = await startGateway(twoIssuers())
    const { families } = await scrape(gate)
    const decisions = families.get('sidegate_decisions_total')?.samples ?? []
    for (const reason of reasons) {
      const series = decisions.filter(({ labels }) => labels.reason === reason)
      expect([reason, series.length > 0, series.every(({ value }) => value === 0)]).toEqual([reason, true, true])
    }
    const revoked = decisions
      .filter(({ labels }) => labels.reason === 'token_revoked')
      .map(({ labels }) => labels.issuer)
    expect(revoked).toEqual(expect.arrayContaining(['https://id.example.com', 'https://second.example']))
    for (const [name, labels] of [
      ['upstream_errors_total', { reason: 'connect_timeout' }],
      ['redis_errors_total', { kind: 'timeout' }],
      ['revocation_reads_total', { type: 'full', result: 'ok' }],
      ['guarded_connections', { type: 'websocket' }],
      ['guarded_connections_ended_total', { reason: 'token_revoked' }],
      ['config_reloads_total', { result: 'error' }],
      ['degraded_decisions_total', { dependency: 'revocation', policy: 'deny' }],
      ['degraded_decisions_total', { dependency: 'keys', policy: 'deny' }],
      ['degraded_decisions_total', { dependency: 'keys', policy: 'allow' }],
      ['revocation_rules', { kind: 'session' }],
    ] as const) {
      const samples = families.get(`sidegate_${name}`)?.samples ?? []
      expect([name, samples]).toEqual([name, expect.arrayContaining([expect.objectContaining({ labels, value: 0 })])])
    }
  })

  test('every reason that shadow mode lets through has a series with 0 from its start, and none where it enforces', async () => {
    const gate = await startGateway(twoIssuers())
    const shadowSeries = async () => {
      const { families } = await scrape(gate)
      const samples = (name: string) => families.get(`sidegate_${name}`)?.samples ?? []
      const decisions = samples('decisions_total').filter(({ labels }) => labels.decision === 'shadow')
      const told = [decisions, samples('shadow_refusals_total')]
      expect(told.flat().filter(({ value }) => value !== 0)).toEqual([])
      return told.map((each) => each.map(({ labels: { reason, issuer } }) => `${reason} ${issuer}`))
    }
    expect(await shadowSeries()).toEqual([[], []])
    await gate.reload(twoIssuers('mode: shadow\n'))
    const [decisions = [], refusals = []] = await shadowSeries()
    expect(refusals).toEqual(decisions)
    for (const series of ['token_missing none', 'token_malformed none', 'token_revoked https://second.example'])
      expect(decisions).toContain(series)
    const letThrough = new Set(decisions.map((series) => series.split(' ')[0]))
    // The message itself is refused, and what the app or the gate fails at is no refusal.
    expect(reasons.filter((reason) => !letThrough.has(reason))).toEqual([
      ...['message_invalid', 'headers_too_large', 'upstream_unreachable', 'upstream_failed', 'draining'],
      ...['upstream_timeout', 'internal'],
    ])
  })

  test('no series is declared with an issuer, or without one, that its reason never has', async () => {
    const { families } = await scrape(await startGateway(twoIssuers('mode: shadow\n')))
    const series = families.get('sidegate_decisions_total')?.samples.map(({ labels }) => labels) ?? []
    expect(series.filter(({ reason, issuer }) => reason === 'token_revoked' && issuer === 'none')).toEqual([])
    expect(series.filter(({ reason, issuer }) => reason === 'token_missing' && issuer !== 'none')).toEqual([])
  })

  test('the keys of a file are told as those that are fetched', async () => {
    const gate = await startGateway(world.settings(app.url))
    expect(await gate.metric('sidegate_jwks_keys', { issuer: 'https://id.example.com' })).toBe(1)
  })

  test('what is running is told', async () => {
    const { families } = await scrape(await startGateway(world.settings(app.url, 'mode: shadow\n')))
    expect(families.get('sidegate_enforcement_info')?.samples).toEqual([
      { name: 'sidegate_enforcement_info', labels: { mode: 'shadow', when_stale: 'deny' }, value: 1 },
    ])
    expect(families.get('sidegate_build_info')?.samples[0]?.labels).toEqual({
      version: 'test',
      node_version: process.version,
    })
    expect(families.get('sidegate_config_last_reload_successful')?.samples[0]?.value).toBe(1)
  })
})

describe('two formats', () => {
  test('scraped in turn, both stay right', async () => {
    const gate = await startGateway(world.settings(app.url))
    await gate.request('/orders', { token: world.mint() })
    const classic: string[] = []
    for (let round = 0; round < 3; round++) {
      const plain = await scrape(gate, round === 1 ? 'text/plain' : undefined)
      expect(plain.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
      expect(plain.text).not.toContain('# EOF')
      expect(plain.families.get('sidegate_requests_total')?.type).toBe('counter')
      classic.push(...plain.families.keys())

      const open = await scrape(gate, OPEN_METRICS)
      expect(open.contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
      expect(open.text.endsWith('\n# EOF\n')).toBe(true)
      expect(open.text.match(/# EOF/g)).toHaveLength(1)
      expect(open.text).not.toContain('\n\n')
      for (const [name, { type, samples }] of open.families) {
        if (type !== 'counter') continue
        expect([name, name.endsWith('_total')]).toEqual([name, false])
        for (const sample of samples) expect(sample.name).toBe(`${name}_total`)
      }
      expect(open.families.get('sidegate_requests')?.samples).toEqual(
        plain.families.get('sidegate_requests_total')?.samples,
      )
    }
    expect(new Set(classic).size).toBe(classic.length / 3)
  })

  test('a histogram counts up to +Inf, and its sum and count agree', async () => {
    const gate = await startGateway(world.settings(app.url))
    for (let n = 0; n < 5; n++) await gate.request('/orders', { token: world.mint() })
    const { families } = await scrape(gate, OPEN_METRICS)
    const samples = families.get('sidegate_request_duration_seconds')?.samples ?? []
    const buckets = samples.filter(({ name, labels }) => name.endsWith('_bucket') && labels.decision === 'permit')
    expect(buckets.map(({ value }) => value)).toEqual(buckets.map(({ value }) => value).toSorted((a, b) => a - b))
    expect(buckets.at(-1)).toMatchObject({ labels: { le: '+Inf' }, value: 5 })
  })

  test('values of labels are escaped', async () => {
    const metrics = createMetrics()
    metrics.jwksKeys.set({ issuer: 'https://a"b\\c' }, 1)
    for (const accept of [undefined, OPEN_METRICS]) {
      const { body } = await expose(metrics.registry, accept)
      expect(body).toContain('sidegate_jwks_keys{issuer="https://a\\"b\\\\c"} 1')
    }
  })
})

const secondKey = makeKey('RS256')
const otherKeys = [makeKey('ES384'), makeKey('EdDSA')]

/** Two issuers, each with keys for several algorithms, and everything else that makes series. */
function twoIssuers(more = '', upstream: URL = app.url): string {
  const all = 'algorithms: [PS256, PS384, PS512, ES256, ES384, EdDSA, RS256]'
  return world
    .settings(upstream, `refresh: { key: ${world.signingKey()} }\n${more}`)
    .replace(
      /(keys: \{ jwksFile: \S+ \}\n)/,
      `$1  - { issuer: https://second.example, audiences: [orders], ${all}, keys: { jwksUri: 'http://127.0.0.1:JWKS/' } }\n`,
    )
    .replace('JWKS', String(jwksPort))
}

let jwksPort = 1
const provider = createServer((_, response) => response.end(jwksOf(secondKey, ...otherKeys)))
beforeAll(async () => {
  jwksPort = await listen(provider)
})
afterAll(() => {
  provider.close()
  provider.closeAllConnections()
})

describe('the number of series', () => {
  test('stays at most 600 with two issuers after traffic of every kind', async () => {
    const redis = await startRedis()
    let status = 200
    const changing = await startApp((request, response) => {
      if (request.url === '/reset') return void request.socket.destroy()
      response.statusCode = status
      response.end()
    })
    try {
      const more = `revocation: { redis: '${redis.url}' }
routes: [{ path: /public/*, access: public }, { path: /admin/*, scopes: [admin] }]
`
      const gate = await startGateway(twoIssuers(more, changing.url))
      await expect.poll(async () => (await gate.admin('/readyz')).status).toBe(200)
      await everyKindOfTraffic(gate)
      // fetch takes a 407 for an error of the network: this walks past it.
      for (status = 201; status < 600; status += 3) await gate.request('/public/x')
      status = 200
      await gate.reload(twoIssuers(`${more}mode: shadow\n`, changing.url))
      await everyKindOfTraffic(gate)
      const { text } = await scrape(gate)
      const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
      expect(series.length).toBeGreaterThan(450)
      expect(series.length).toBeLessThanOrEqual(600)
      expect(sumOf(text, 'sidegate_shadow_refusals_total', { reason: 'token_revoked' })).toBe(0)
      expect(sumOf(text, 'sidegate_shadow_refusals_total', { reason: 'token_expired' })).toBeGreaterThan(0)
      expect(text).not.toMatch(/alice|mallory|token-\d|unknown-key|BREW|stranger\.example/)
      await stopGateways()
    } finally {
      await changing.close()
      await redis.stop()
    }
  })

  /** Valid, refused in each way that a client can cause, broken, refreshed, with every algorithm. */
  async function everyKindOfTraffic(gate: Gateway): Promise<void> {
    const now = Math.floor(Date.now() / 1000)
    const second = (algorithm: string, claims: Record<string, unknown> = {}) => {
      const key = otherKeys.find((each) => each.algorithm === algorithm) ?? { ...secondKey, algorithm }
      return signToken(key, JSON.parse(claimsText({ iss: 'https://second.example', ...claims })))
    }
    const claimsText = (claims: Record<string, unknown>) =>
      Buffer.from(world.mint(claims).split('.')[1] ?? '', 'base64url').toString()
    const tokens = [
      world.mint(),
      world.mint({ exp: now + 20 }),
      world.mint({ exp: now - 100 }),
      world.mint({ nbf: now + 100 }),
      world.mint({ aud: 'other' }),
      world.mint({ exp: now + 1e6 }),
      world.mint({ iss: 'https://stranger.example' }),
      world.mint({}, { kid: 'unknown-key' }),
      world.mint({}, { alg: 'none' }),
      world.mint({ sub: 7 }),
      'nonsense',
      'x'.repeat(9000),
      ...['RS256', 'PS256', 'PS384', 'PS512', 'ES384', 'EdDSA'].flatMap((each) => [
        second(each),
        second(each),
        `${second(each).slice(0, -9)}AAAAAAAAA`,
      ]),
      second('RS256', { exp: now + 20 }),
      second('RS256', { aud: 'other' }),
    ]
    for (const token of tokens) for (const path of ['/orders', '/admin/x']) await gate.request(path, { token })
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'BREW', 'X1', 'X2'])
      for (const path of ['/orders', '/public/x']) await gate.request(path, { method })
    await gate.request('/a%2fb')
    await gate.request('/reset', { token: world.mint() })
    for (const head of ['TRACE / HTTP/1.1', 'CONNECT a:1 HTTP/1.1', 'GET / HTTP/1.1\r\nHost: b', 'nonsense'])
      await exchangeRaw(gate.port, `${head}\r\nHost: a\r\nConnection: close\r\n\r\n`)
    await exchangeRaw(gate.port, `GET / HTTP/1.1\r\nHost: a\r\n${'a: b\r\n'.repeat(200)}\r\n`)
  }

  // holds: label-values-from-outside
  test('unknown methods and many status codes do not make it grow without end', () => {
    const metrics = createMetrics()
    const observe = createRequestObserver(metrics, Date.now)
    declareSeries(metrics, ['https://id.example.com'], 'enforce')
    for (let n = 0; n < 2000; n++) observe(outcome({ method: `M${n}`, status: 200 + (n % 400) }))
    for (let n = 0; n < 2000; n++)
      observe(outcome({ method: 'GET', status: 100 + (n % 900), upstreamStatus: 100 + (n % 900) }))
    return expose(metrics.registry, undefined).then(({ body }) => {
      const series = body.split('\n').filter((line) => line.startsWith('sidegate_requests_total{'))
      expect(series.length).toBeLessThanOrEqual(100)
      expect(sumOf(body, 'sidegate_requests_total', {})).toBe(4000)
      expect(sumOf(body, 'sidegate_requests_total', { method: 'other' })).toBeGreaterThanOrEqual(2000)
    })
  })
})

/** An outcome of a public request, unless told otherwise. */
function outcome(more: Partial<Outcome> = {}): Outcome {
  return {
    method: 'GET',
    path: '/x',
    status: 200,
    decision: { decision: 'public', token: undefined, source: undefined, wouldRefuse: undefined } as unknown as Permit,
    fault: undefined,
    upstreamError: undefined,
    clientAborted: false,
    durationMs: 2,
    decideMs: 0.02,
    forwardMs: 0.1,
    upstreamMs: 1.5,
    upstreamStatus: 200,
    peer: '127.0.0.1',
    ...more,
  }
}

describe('what one request counts', () => {
  async function counted(...outcomes: Outcome[]): Promise<(name: string, labels?: Record<string, string>) => number> {
    const metrics = createMetrics()
    const observe = createRequestObserver(metrics, Date.now)
    for (const each of outcomes) observe(each)
    const { body } = await expose(metrics.registry, undefined)
    return (name, labels = {}) => sumOf(body, `sidegate_${name}`, labels)
  }

  // holds: outcomes-not-counted
  test('requests and decisions agree, whatever the outcomes are', async () => {
    const permit = { decision: 'permit', token: verifiedToken({}), wouldRefuse: undefined } as unknown as Permit
    const count = await counted(
      outcome(),
      outcome({ decision: permit }),
      ...reasons.map((reason) => outcome({ decision: refuse(reason), status: 401 })),
      outcome({ decision: permit, fault: 'upstream_failed', upstreamError: 'reset', status: 502 }),
      outcome({ decision: permit, clientAborted: true, status: 499 }),
    )
    const all = reasons.length + 4
    expect(count('requests_total')).toBe(all)
    expect(count('decisions_total')).toBe(all)
    expect(count('request_duration_seconds_count')).toBe(all)
    expect(count('decisions_total', { decision: 'error', reason: 'upstream_failed', issuer: 'none' })).toBe(1)
    expect(count('upstream_errors_total', { reason: 'reset' })).toBe(1)
    expect(count('client_aborts_total')).toBe(1)
    expect(count('token_remaining_seconds_count', { issuer: 'https://id.example.com' })).toBe(3)
  })

  test('a refusal that shadow mode let through is counted with its reason', async () => {
    const wouldRefuse = refuse('token_expired', { issuer: 'https://id.example.com' })
    const shadow = { decision: 'shadow', token: undefined, wouldRefuse } as unknown as Permit
    const count = await counted(outcome({ decision: shadow }))
    expect(count('shadow_refusals_total', { reason: 'token_expired', issuer: 'https://id.example.com' })).toBe(1)
    expect(count('decisions_total', { decision: 'shadow', reason: 'token_expired' })).toBe(1)
  })

  test('a token that no keys could be had for is a decision without fresh keys, in shadow mode as well', async () => {
    const wouldRefuse = refuse('keys_unavailable', { issuer: 'https://id.example.com' })
    const shadow = { decision: 'shadow', token: undefined, wouldRefuse } as unknown as Permit
    const count = await counted(
      outcome({ decision: wouldRefuse, status: 503 }),
      outcome({ decision: shadow }),
      outcome({ decision: refuse('key_unknown'), status: 401 }),
      outcome(),
    )
    expect(count('degraded_decisions_total', { dependency: 'keys', policy: 'deny' })).toBe(2)
    expect(count('degraded_decisions_total')).toBe(2)
  })

  test('times are in seconds', async () => {
    const count = await counted(
      outcome({ durationMs: 250, decideMs: 0.5, forwardMs: 1, upstreamMs: 100, upstreamStatus: 404 }),
    )
    expect(count('request_duration_seconds_sum')).toBeCloseTo(0.25)
    expect(count('overhead_seconds_sum', { phase: 'decide' })).toBeCloseTo(0.0005)
    expect(count('overhead_seconds_sum', { phase: 'forward' })).toBeCloseTo(0.001)
    expect(count('upstream_response_seconds_sum', { code_class: '4xx' })).toBeCloseTo(0.1)
  })
})
