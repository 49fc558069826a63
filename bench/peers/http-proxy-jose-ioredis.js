// The stack that Sidegate replaces, as it is usually written: verify each token, ask Redis whether it was taken back, forward.
// With an agent that keeps connections to the app, without which it would be slower.
import { Agent, createServer } from 'node:http'
import httpProxy from 'http-proxy'
import { Redis } from 'ioredis'
import { createLocalJWKSet, jwtVerify } from 'jose'

const { PORT, UPSTREAM_PORT, REDIS, KEYS } = process.env
const redis = new Redis(REDIS)
const keys = createLocalJWKSet(JSON.parse(KEYS))
const rules = { issuer: 'https://id.example.com', audience: 'orders', algorithms: ['ES256', 'RS256'] }
const proxy = httpProxy.createProxyServer({
  target: `http://127.0.0.1:${UPSTREAM_PORT}`,
  agent: new Agent({ keepAlive: true, maxSockets: 256 }),
})

proxy.on('error', (_error, _request, response) => response.writeHead?.(502).end())

createServer(async (request, response) => {
  try {
    const [, token] = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? []
    const { payload } = await jwtVerify(token, keys, rules)
    if ((await redis.exists(`revoked:${payload.jti}`)) > 0) throw new Error('revoked')
    request.headers['x-auth-subject'] = payload.sub
  } catch {
    response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
    return
  }
  proxy.web(request, response)
}).listen(Number(PORT), '127.0.0.1')
