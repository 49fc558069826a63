// Our own forward without the gate: the same proxy, which permits everything at once, counts nothing and remembers nothing. What
// it does more than this is what the gate costs.
import { createGate } from '../../src/gate/gate.ts'
import { createLifetime } from '../../src/gate/open-connections.ts'
import type { Permit } from '../../src/model/decision.ts'
import { createProxyServer } from '../../src/servers/proxy/server.ts'

const { PORT, UPSTREAM_PORT } = process.env
const unasked = () => {
  throw new Error('Cannot answer: nothing is checked here')
}
const gate = createGate({
  route: () => ({ path: '/*', isPublic: true, lacks: () => undefined }),
  ...{ extract: unasked, origin: unasked, issuedAt: unasked, verify: unasked, revocation: unasked, clock: Date.now },
})
const permit = gate({ method: 'GET', path: '/', query: '', headers: [] }) as Permit

const policy = {
  decide: () => permit,
  upstream: new URL(`http://127.0.0.1:${UPSTREAM_PORT}`),
  upstreamTls: { authority: undefined, serverName: undefined },
  identity: [['x-auth-subject', 'sub']] as const,
  headerNames: { mode: 'strict' as const, allow: [], drop: [], sources: ['authorization'] },
  leftOut: { header: () => {}, identity: () => {} },
  stripToken: false,
  corsOrigins: [],
  isTrustedProxy: () => false,
  refreshHeader: undefined,
  refresh: undefined,
  limits: {
    headerBytes: 16_384,
    headers: 100,
    bodyBytes: 0,
    requestTimeoutMs: 0,
    headersTimeoutMs: 10_000,
    idleTimeoutMs: 75_000,
    sendTimeoutMs: 60_000,
    upstreamConnectTimeoutMs: 2_000,
    upstreamResponseTimeoutMs: 60_000,
    upstreamConnections: 256,
  },
}

const proxy = createProxyServer({
  current: () => policy,
  lifetime: createLifetime({
    clock: Date.now,
    isEnforced: () => true,
    ask: () => policy.decide(),
    onCount: () => {},
    onEnded: () => {},
  }),
  observe: () => {},
  log: { error: (details, message) => console.error(message, details) },
  monotonicMs: () => performance.now(),
})
await proxy.listen({ host: '127.0.0.1', port: Number(PORT) })
