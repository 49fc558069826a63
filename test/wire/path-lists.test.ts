// The public lists of path tricks against rules: whatever is admitted without a token must not be the protected place, for
// any way in which an application could read the path, and for a real nginx where there is one.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRoutes, type RoutePolicy } from '../../src/gate/routes.ts'
import type { Decide } from '../../src/model/decision.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/listen.ts'
import { pathReaders } from '../support/path-readers.ts'
import { admitAll, startProxy, type TestProxy } from '../support/proxy.ts'
import { exchangeRaw, rawClient, statuses } from '../support/raw-client.ts'
import { hasVectors, readVectors, withoutVectors } from '../support/vectors.ts'

type Lists = { lists: Record<string, string[]> }

/** One place that needs a token, everything else public: the harder of the two ways to write rules. */
const denyList: RoutePolicy[] = [
  { path: '/admin/*', access: 'token', scopes: ['admin'] },
  { path: '/*', access: 'public' },
]
/** One place that is public, everything else needs a token. */
const allowList: RoutePolicy[] = [{ path: '/public/*', access: 'public' }]

const publicUnder = (policies: RoutePolicy[]) => {
  const routes = createRoutes(policies)
  return (target: string): boolean => {
    const path = target.split('?')[0] ?? ''
    const route = routes({ method: 'GET', path, query: '', headers: [] })
    return 'isPublic' in route && route.isPublic
  }
}
const isAdmin = (place: string): boolean => place === '/admin' || place.startsWith('/admin/')

/** Targets that the message gate lets through to the rules at all. */
const isTarget = (target: string): boolean => /^\/[\x21\x22\x24-\x7e]*$/.test(target)

function bypasses(): string[] {
  const { midpaths = [], endpaths = [] } = readVectors<Lists>('http/nomore403_payloads.json').lists
  const targets = new Set<string>()
  for (const middle of midpaths)
    for (const end of endpaths) {
      targets.add(`/${middle}admin${end}`)
      targets.add(`/admin${middle}${end}`)
      targets.add(`/public/${middle}/admin${end}`)
    }
  return [...targets].filter(isTarget)
}

function traversals(): string[] {
  const lists = Object.values(readVectors<Lists>('http/patt_traversal.json').lists).flat()
  const files = /(?:etc[^a-z]+(?:passwd|issue)|boot\.ini|windows.*|\{FILE\})$/i
  const targets = new Set<string>()
  for (const line of lists) {
    const tail = line.replace(files, 'admin').replace(/^\/+/, '')
    targets.add(`/public/${tail}`)
    targets.add(`/${tail}`)
  }
  return [...targets].filter(isTarget)
}

describe.skipIf(!hasVectors)(`the public lists (${hasVectors ? 'present' : withoutVectors})`, () => {
  // holds: bypasses-of-nomore403, lists-traversals
  test('no variant that is public is the protected place for any reader', () => {
    const all = [...bypasses(), ...traversals()]
    expect(all.length).toBeGreaterThan(65_000)
    const isOpen = publicUnder(denyList)
    const isAllowed = publicUnder(allowList)
    const wrong: string[] = []
    for (const target of all) {
      const path = target.split('?')[0] ?? ''
      if (!isOpen(target) && !isAllowed(target)) continue
      for (const [name, read] of Object.entries(pathReaders)) {
        if (isOpen(target) && isAdmin(read(path))) wrong.push(`${target} is the protected place ${name}`)
        if (isAllowed(target) && name !== 'as it stands' && !/^\/public(?:\/|$)/.test(read(path)))
          wrong.push(`${target} leaves the public place ${name}`)
      }
    }
    expect(wrong).toEqual([])
  })
})

const hasNginx = spawnSync('nginx', ['-v']).status === 0

describe.skipIf(!hasNginx)(`nginx behind the gate (${hasNginx ? 'present' : 'not on this machine'})`, () => {
  let folder: string
  let nginxPort: number
  let proxy: TestProxy

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sidegate-nginx-'))
    nginxPort = await freePort()
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon on; pid ${folder}/pid; error_log ${folder}/error.log; worker_processes 1;
events { worker_connections 256; }
http {
  access_log ${folder}/access.log; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/p;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  keepalive_requests 100000; default_type text/plain;
  server {
    listen 127.0.0.1:${nginxPort};
    location = /admin { return 200 "the secret"; }
    location /admin/ { return 200 "the secret"; }
    location / { return 200 "$request_method $uri"; }
  }
}
`,
    )
    execFileSync('nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder], { stdio: 'ignore' })
    await eventually(async () => expect(await ask(nginxPort, '/')).toContain('200'))
    const isOpen = publicUnder(denyList)
    const decide: Decide = (view) =>
      isOpen(view.path) ? admitAll() : { decision: 'refuse', reason: 'token_missing' as const }
    proxy = await startProxy(new URL(`http://127.0.0.1:${nginxPort}`), { decide })
  })
  afterAll(async () => {
    await proxy.close()
    spawnSync('nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder, '-s', 'stop'])
    rmSync(folder, { recursive: true, force: true })
  })

  const ask = (port: number, target: string): Promise<string> =>
    exchangeRaw(port, `GET ${target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n`)

  test('gives its secret without a gate to tricks of the list, so that the next test means something', async () => {
    for (const target of ['/admin', '/./admin', '/x/../admin', '/%61dmin', '//admin', '/x/%2e%2e/admin', '/admin/./'])
      expect(await ask(nginxPort, target)).toContain('the secret')
  })

  // holds: bypasses-of-nomore403
  test.skipIf(!hasVectors)('never gives its secret through the gate, whatever variant is admitted', async () => {
    const isOpen = publicUnder(denyList)
    const queue = [...bypasses(), ...traversals()].filter(isOpen)
    const total = queue.length
    expect(total).toBeGreaterThan(4_000)
    let answered = 0
    const worker = async (): Promise<void> => {
      for (let batch = queue.splice(0, 20); batch.length > 0; batch = queue.splice(0, 20)) {
        const client = rawClient(proxy.port)
        client.send(batch.map((target) => `GET ${target} HTTP/1.1\r\nHost: app.example\r\n\r\n`).join(''))
        const text = await client.until((sofar) => statuses(sofar).length >= batch.length || client.isClosed())
        client.socket.destroy()
        answered += statuses(text).length
        expect(text).not.toContain('the secret')
      }
    }
    await Promise.all([worker(), worker(), worker(), worker()])
    expect(answered).toBe(total)
  })

  const smuggled = 'GET /admin HTTP/1.1\r\nHost: app.example\r\n\r\n'
  const attempts: Record<string, string> = {
    'a length beside chunks': `Content-Length: ${smuggled.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'chunks with a space before the colon': `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'two lengths': `Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    'a length in a list': `Content-Length: 0, ${smuggled.length}\r\n\r\n${smuggled}`,
    'an unknown coding': `Transfer-Encoding: xchunked\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    'a body that is a request': `Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    'chunks that are a request': `Transfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
    // holds: desynchronisation-by-expect
    'an announced body that is a request': `Expect: 100-continue\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    'a length behind 1,300 headers (CVE-2026-58044)': `${'a:\r\n'.repeat(1_300)}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  }
  for (const [trick, rest] of Object.entries(attempts)) {
    test(`is not asked for its secret by ${trick}`, async () => {
      const client = rawClient(proxy.port)
      client.send(
        `POST / HTTP/1.1\r\nHost: app.example\r\n${rest}GET /after HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n`,
      )
      expect(await client.closed()).not.toContain('the secret')
    })
  }
})
