// The access log: which requests get a line, one line each, and neither a token nor a query in it.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Permit } from '../../../src/model/decision.ts'
import type { Outcome } from '../../../src/model/outcome.ts'
import { refuse } from '../../../src/model/refusal.ts'
import { createAccessLog } from '../../../src/telemetry/logs/access-log.ts'
import { createLog } from '../../../src/telemetry/logs/log.ts'
import { createWorld, type Gateway, startGateway, stopGateways, type World } from '../../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../../support/origin.ts'
import { exchangeRaw, rawClient, statuses } from '../../support/raw-client.ts'
import { signatureOf } from '../../support/shell.ts'
import { verifiedToken } from '../../support/tokens.ts'

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

const requestsIn = (gate: Gateway) => gate.lines.filter(({ msg }) => msg === 'request')

/** An admitted, a refused, a public and a faulty request. */
async function fourRequests(gate: Gateway): Promise<void> {
  await gate.request('/orders?page=2&note=geheim', { token: world.mint({ jti: 'good' }) })
  await gate.request('/orders?access_token=geheim')
  await gate.request('/public/x')
  await expect.poll(() => gate.metric('sidegate_requests_total')).toBe(3)
}

const routes = 'routes: [{ path: /public/*, access: public }]\n'

describe('which requests get a line', () => {
  test('by default those that were refused', async () => {
    const gate = await startGateway(world.settings(app.url, routes))
    await fourRequests(gate)
    expect(requestsIn(gate).map(({ reason }) => reason)).toEqual(['token_missing'])
  })

  test('all: every request', async () => {
    const gate = await startGateway(world.settings(app.url, `${routes}log: { access: all }\n`))
    await fourRequests(gate)
    expect(requestsIn(gate)).toEqual([
      {
        level: 'info',
        time: expect.any(String),
        msg: 'request',
        decision: 'permit',
        status: 200,
        method: 'GET',
        path: '/orders',
        issuer: 'https://id.example.com',
        token: 'good',
        peer: '127.0.0.1',
        durationMs: expect.any(Number),
      },
      expect.objectContaining({ decision: 'refuse', reason: 'token_missing', status: 401, path: '/orders' }),
      expect.objectContaining({ decision: 'public', status: 200, path: '/public/x' }),
    ])
  })

  test('none: no request', async () => {
    const gate = await startGateway(world.settings(app.url, `${routes}log: { access: none }\n`))
    await fourRequests(gate)
    expect(requestsIn(gate)).toEqual([])
  })

  test('a fault of the app and a refusal that shadow mode let through count as refused', async () => {
    const gate = await startGateway(world.settings(new URL('http://127.0.0.1:1')))
    await gate.request('/orders', { token: world.mint() })
    await expect
      .poll(() => requestsIn(gate))
      .toEqual([expect.objectContaining({ decision: 'error', reason: 'upstream_unreachable', status: 502 })])
    const shadow = await startGateway(world.settings(app.url, 'mode: shadow\n'))
    await shadow.request('/orders')
    await expect
      .poll(() => requestsIn(shadow))
      .toEqual([expect.objectContaining({ decision: 'shadow', reason: 'token_missing', status: 200 })])
  })
})

test('a revoked token is named by its id, so that a rule can be found', async () => {
  const gate = await startGateway(world.settings(app.url))
  const headers = { authorization: 'Bearer admin-token-of-the-tests-32-chars' }
  await gate.admin('/revocations', { method: 'POST', headers, body: '{"kind":"token","value":"stolen"}' })
  await gate.request('/orders', { token: world.mint({ jti: 'stolen' }) })
  await expect
    .poll(() => requestsIn(gate))
    .toEqual([expect.objectContaining({ reason: 'token_revoked', token: 'stolen', issuer: 'https://id.example.com' })])
})

// holds: secrets-in-output
test('no line holds a token, a part of one or a query, wherever they were', async () => {
  const settings = `${routes}log: { access: all, level: trace }\ntokens: { sources: [{ header: authorization }, { cookie: session }, { query: access_token }] }\n`
  const gate = await startGateway(world.settings(app.url, settings))
  const good = world.mint()
  const expired = world.mint({ exp: 1000 })
  const tokens = [good, expired, `${good.slice(0, -4)}AAAA`, 'geheim.geheim.geheim']
  for (const token of tokens) {
    await gate.request('/orders', { token })
    await gate.request(`/orders?access_token=${token}`)
    await gate.request('/orders', { headers: { cookie: `session=${token}; other=geheim` } })
    await gate.request(`/public/x?${token}`, { headers: { 'x-api-key': 'geheim' } })
  }
  await expect.poll(() => requestsIn(gate).length).toBe(16)
  const text = JSON.stringify(gate.lines)
  for (const token of tokens.slice(0, 3)) {
    expect(text).not.toContain(signatureOf(token))
    expect(text).not.toContain(token.split('.')[1])
  }
  expect(text).not.toMatch(/geheim|access_token=|\?/)
})

/** Exactly what is written for one outcome. */
function written(more: Partial<Outcome>): string {
  const lines: string[] = []
  const log = createLog(
    { level: 'info', format: 'json' },
    { isTerminal: false, to: { write: (line) => lines.push(line) } },
  )
  createAccessLog({
    ...{ log, policy: 'all', refusedPerSecond: 0, monotonic: () => 0 },
    ...{ isBehind: () => false, onLeftOut: () => {} },
  }).write(outcomeOf(more))
  return lines.join('')
}

/** A request without a token, and more. */
function outcomeOf(more: Partial<Outcome> = {}): Outcome {
  return {
    method: 'GET',
    path: '/x',
    status: 400,
    decision: refuse('token_missing'),
    fault: undefined,
    upstreamError: undefined,
    clientAborted: false,
    durationMs: 1.23456,
    decideMs: 0,
    forwardMs: undefined,
    upstreamMs: undefined,
    upstreamStatus: undefined,
    peer: '127.0.0.1',
    ...more,
  }
}

describe('a line is one line', () => {
  test.each([
    ['CR and LF', '/x\r\n{"level":"info","msg":"forged"}'],
    ['ANSI escapes', '/x\u001b[2J\u001b[31m'],
    ['NUL, bell and backspace', '/x\u0000\u0007\b'],
    ['quotes and backslashes', '/x"\\","decision":"permit'],
    ['line separators of Unicode', '/x\u2028y\u2029z\u0085'],
  ])('whatever the path holds: %s', (_, path) => {
    for (const text of [
      written({ path }),
      written({ method: path }),
      written({ decision: refuse('token_revoked', { tokenId: path, detail: path, issuer: path }) }),
    ]) {
      expect(text.endsWith('\n')).toBe(true)
      expect([...text.slice(0, -1)].filter((character) => character < ' ')).toEqual([])
      expect(JSON.parse(text)).toMatchObject({ decision: 'refuse', msg: 'request' })
    }
    expect(JSON.parse(written({ path }))).toMatchObject({ path })
  })

  test('a long path is cut', () => {
    expect(JSON.parse(written({ path: `/${'a'.repeat(5000)}` })).path).toHaveLength(256)
  })

  test('durations are milliseconds with three digits, and what is not known is left out', () => {
    const line = JSON.parse(written({}))
    expect(line.durationMs).toBe(1.235)
    expect(line).not.toHaveProperty('clientAborted')
    expect(line).not.toHaveProperty('detail')
    expect(line).not.toHaveProperty('pid')
  })

  test('a client that left first says so', () => {
    const permit = { decision: 'permit', token: verifiedToken({}), wouldRefuse: undefined } as unknown as Permit
    expect(JSON.parse(written({ decision: permit, clientAborted: true }))).toMatchObject({ clientAborted: true })
  })

  // holds: lines-log-begun-by-client
  test('by raw bytes on the wire, every line of the log is JSON of its own', async () => {
    const gate = await startGateway(world.settings(app.url, 'log: { access: all }\n'))
    for (const target of ['/a\x1b[31m', '/%0d%0a{"forged":1}', '/a\xffb', '/a\x85', '/"}\\'])
      await exchangeRaw(gate.port, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    await exchangeRaw(
      gate.port,
      'GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\x1bb\r\nConnection: close\r\n\r\n',
    )
    await expect.poll(() => requestsIn(gate).length).toBe(6)
    expect(gate.lines.some((line) => 'forged' in line)).toBe(false)
    expect(JSON.stringify(gate.lines)).not.toContain('\x1b')
  })
})

describe('a flood of refusals', () => {
  const sumOfLines = (gate: Gateway) =>
    gate.lines.reduce((sum, line) => sum + (line.msg === 'Left out access lines' ? Number(line.lines) : 0), 0)

  // holds: floods-of-log-lines
  test('gets as many lines as are allowed in a second, and the others are told by reason and counted', async () => {
    const gate = await startGateway(world.settings(app.url, 'log: { refusedPerSecond: 5 }\n'))
    const token = world.mint({ exp: 1000 })
    await Promise.all(Array.from({ length: 200 }, (_, index) => gate.request('/x', index % 2 === 0 ? {} : { token })))
    await expect.poll(() => requestsIn(gate).length + sumOfLines(gate), { timeout: 5000 }).toBe(200)
    expect(sumOfLines(gate)).toBeGreaterThan(100)
    const told = gate.lines.find(({ msg }) => msg === 'Left out access lines')
    expect(told).toMatchObject({
      level: 'warn',
      reasons: { token_missing: expect.any(Number), token_expired: expect.any(Number) },
    })
    expect(await gate.metric('sidegate_log_lines_left_out_total', { cause: 'rate' })).toBe(sumOfLines(gate))
    expect(await gate.metric('sidegate_decisions_total', { decision: 'refuse' })).toBe(200)
  })

  test('does not take the line of an audit, nor that of an admitted request', async () => {
    const gate = await startGateway(world.settings(app.url, 'log: { access: all, refusedPerSecond: 1 }\n'))
    for (let count = 0; count < 5; count++) await gate.request('/x')
    await gate.request('/x', { token: world.mint() })
    const headers = { authorization: 'Bearer admin-token-of-the-tests-32-chars' }
    await gate.admin('/revocations', { method: 'POST', headers, body: '{"kind":"token","value":"stolen"}' })
    await expect.poll(() => gate.lines).toContainEqual(expect.objectContaining({ audit: 'revoke', value: 'stolen' }))
    await expect.poll(() => requestsIn(gate)).toContainEqual(expect.objectContaining({ decision: 'permit' }))
  })

  test('is told before the gate stops', async () => {
    const gate = await startGateway(world.settings(app.url, 'log: { refusedPerSecond: 1 }\n'))
    // At once: they have to fall into one second.
    const client = rawClient(gate.port)
    client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(4))
    await client.until((text) => statuses(text).length === 4, 'four refusals')
    client.socket.destroy()
    await expect.poll(() => gate.metric('sidegate_log_lines_left_out_total')).toBe(3)
    await gate.app.stop()
    expect(sumOfLines(gate)).toBe(3)
  })

  test('begins anew with each second; 0 is no bound', () => {
    vi.useFakeTimers()
    const lines: string[] = []
    const to = { write: (line: string) => lines.push(line) }
    const log = createLog({ level: 'info', format: 'json' }, { isTerminal: false, to })
    let nowMs = 0
    const parts = {
      log,
      policy: 'refused',
      monotonic: () => nowMs,
      isBehind: () => false,
      onLeftOut: () => {},
    } as const
    const bounded = createAccessLog({ ...parts, refusedPerSecond: 2 })
    for (nowMs of [0, 1, 2, 999, 1000, 1001, 1999]) bounded.write(outcomeOf())
    expect(lines).toHaveLength(4)
    vi.runAllTimers()
    vi.useRealTimers()
    expect(lines.splice(0).at(-1)).toContain('"lines":3,"reasons":{"token_missing":3}')
    const unbounded = createAccessLog({ ...parts, refusedPerSecond: 0 })
    for (let count = 0; count < 1000; count++) unbounded.write(outcomeOf())
    expect(lines).toHaveLength(1000)
  })
})

test('the pretty form of a terminal keeps the escapes of others escaped, and leaves out what is below the level', () => {
  let text = ''
  const to = {
    write: (line: string) => {
      text += line
    },
  }
  const log = createLog({ level: 'info', format: 'auto' }, { isTerminal: true, to })
  log.info({ path: '/\u001b[2J\r\nforged' }, 'request')
  log.debug('not shown')
  expect(text).toContain('request')
  expect(text).toContain('path: "/\\u001b[2J\\r\\nforged"')
  expect(text).not.toContain('\u001b[2J')
  expect(text).not.toContain('not shown')
})
