// `sidegate doctor --upgrade`: for each change of behaviour, settings of an older version that it reaches, and settings that say what
// they want.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../../src/config/load.ts'
import { upgradeChanges } from '../../../src/config/upgrade/changes.ts'
import type { Diagnosis } from '../../../src/kubernetes/doctor/doctor.ts'
import { sidegate } from '../../support/shell.ts'

const TOKEN_FILE = '/etc/sidegate/admin-token'
const LONG = 'a'.repeat(32)

let folder: string
let longToken: string
let shortToken: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidegate-upgrade-'))
  longToken = join(folder, 'long')
  shortToken = join(folder, 'short')
  writeFileSync(longToken, `${LONG}\n`)
  writeFileSync(shortToken, `${LONG.slice(1)}\n`)
})
afterAll(() => rmSync(folder, { recursive: true }))

type Settings = Readonly<Record<string, unknown>>

const issuer = {
  issuer: 'https://id.example.com',
  audiences: ['orders'],
  keys: { discovery: true },
  tokenTypes: ['JWT'],
  allowIdTokens: false,
  confirmation: 'checked',
}
/** Says everything: no change reaches it. */
const explicit: Settings = {
  listen: '0.0.0.0:8080',
  admin: { listen: '0.0.0.0:9090' },
  issuers: [issuer],
  tokens: { sources: [{ header: 'authorization' }] },
  forward: { headerNames: 'strict', allowHeaders: [] },
  outbound: { proxy: 'env' },
}
const key = { algorithm: 'EdDSA', keyId: 'k', privateKeyFile: '/etc/sidegate/key.pem' }
const cookie = { tokens: { sources: [{ cookie: 'sid' }] }, cors: { origins: [] } }
const exchange = {
  tokenEndpoint: 'https://id.example.com/token',
  clientId: 'web',
  clientSecretFile: '/etc/sidegate/secret',
}
const withRefreshTokens = (more: Settings = {}): Settings => ({
  admin: { tokenFile: TOKEN_FILE },
  revocation: { redis: 'redis://redis' },
  refresh: { exchange: { ...exchange, grant: 'refresh-token', storeKeyFile: '/etc/sidegate/store-key', ...more } },
})
const secretIssuer = { ...issuer, algorithms: ['HS256'], keys: { secretFile: '/etc/sidegate/secret' } }

function without<T extends object>(group: T, ...names: readonly string[]): Settings {
  return Object.fromEntries(Object.entries(group).filter(([name]) => !names.includes(name)))
}

/** Each group stands in place of the one in the settings that say everything. */
interface Case {
  readonly reached: readonly Settings[]
  readonly silent: readonly Settings[]
}

const cases: Readonly<Record<string, Case>> = {
  'cookie-source': { reached: [{ tokens: {} }, { tokens: { maxBytes: 4096 } }], silent: [cookie] },
  'cookie-websocket-origin': {
    reached: [{ ...cookie, cors: {} }, { tokens: {} }],
    silent: [cookie, { cors: {} }, { ...cookie, cors: { origins: ['https://app.example.com'] } }],
  },
  'cookie-renewal': {
    reached: [
      { ...cookie, refresh: { key } },
      { tokens: {}, refresh: { key, cookie: { path: '/' } } },
    ],
    silent: [
      { ...cookie, refresh: { key, cookie: { header: false } } },
      { ...cookie, refresh: { key, cookie: { header: true } } },
      { refresh: { key } },
      cookie,
    ],
  },
  'token-types': {
    reached: [
      { issuers: [without(issuer, 'tokenTypes')] },
      { issuers: [issuer, { ...without(issuer, 'tokenTypes'), issuer: 'https://id.example.org' }] },
    ],
    silent: [{ issuers: [{ ...issuer, tokenTypes: ['at+jwt', 'own'] }] }],
  },
  'id-tokens': {
    reached: [{ issuers: [without(issuer, 'allowIdTokens')] }],
    silent: [{ issuers: [{ ...issuer, allowIdTokens: true }] }],
  },
  'bound-tokens': {
    reached: [{ issuers: [without(issuer, 'confirmation')] }],
    silent: [{ issuers: [{ ...issuer, confirmation: 'ignored' }] }],
  },
  'header-names': {
    reached: [{ forward: {} }, { forward: { allowHeaders: ['client-ip'] } }],
    silent: [{ forward: { headerNames: 'token' } }, { forward: { allowHeaders: ['x_legacy'] } }],
  },
  'dropped-headers': {
    reached: [{ forward: {} }, { forward: { headerNames: 'token' } }],
    silent: [{ forward: { allowHeaders: ['client-ip'] } }, { forward: { allowHeaders: [] } }],
  },
  'forwarded-values': {
    reached: [{ forward: { trustedProxies: ['10.0.0.0/8'] } }],
    silent: [{ forward: { trustedProxies: [] } }],
  },
  'route-spelling': {
    reached: [
      { routes: [{ path: '/admin/*', scopes: ['admin'] }] },
      { routes: [{ path: '/admin', claims: { role: 'admin' } }] },
      { routes: [{ path: '/admin/*' }, { path: '/*', access: 'public' }] },
    ],
    silent: [
      { routes: [{ path: '/health', access: 'public' }, { path: '/admin' }] },
      { routes: [{ path: '/*', scopes: ['use'] }] },
    ],
  },
  'route-name': {
    reached: [
      { routes: [{ path: '/users/{id}', access: 'public' }] },
      { routes: [{ path: '/{shop}/orders', scopes: ['a'] }] },
    ],
    silent: [{ routes: [{ path: '/users/*', access: 'public' }] }],
  },
  'route-head': {
    reached: [{ routes: [{ path: '/a', methods: ['GET', 'POST'], access: 'public' }] }],
    silent: [
      { routes: [{ path: '/a', access: 'public' }] },
      { routes: [{ path: '/a', methods: ['GET', 'HEAD'], access: 'public' }] },
      { routes: [{ path: '/a', methods: ['POST'], access: 'public' }] },
      {
        routes: [
          { path: '/a', methods: ['HEAD'] },
          { path: '/a', methods: ['GET'], access: 'public' },
        ],
      },
    ],
  },
  'listen-address': {
    reached: [{ listen: undefined }, { listen: undefined, upstream: 'http://127.0.0.1:3000' }],
    silent: [{ listen: '[::]:8080' }, { listen: '127.0.0.1:8443' }],
  },
  'admin-listen-address': {
    reached: [{ admin: undefined }, { admin: { tokenFile: 'LONG' } }],
    silent: [{ admin: { listen: '[::]:9090' } }, { admin: { listen: '10.0.0.1:9090', tokenFile: 'LONG' } }],
  },
  'admin-token': {
    reached: [{ admin: { tokenFile: '/nowhere' } }, { admin: { tokenFile: 'SHORT' } }],
    silent: [{ admin: { tokenFile: 'LONG' } }, { admin: {} }],
  },
  'tls-suites': {
    reached: [{ tls: { certFile: '/etc/sidegate/cert.pem', keyFile: '/etc/sidegate/key.pem' } }],
    silent: [{}],
  },
  'redis-rights': {
    reached: [
      { revocation: { redis: 'redis://sidegate@redis:6379/0', passwordFile: '/p' } },
      { revocation: { redis: 'rediss+sentinel://gates:pw@redis:26379/main/0' } },
    ],
    silent: [
      { revocation: { redis: 'redis://redis:6379/0' } },
      { revocation: { redis: 'redis://default:pw@redis:6379/0' } },
      { revocation: { redis: 'redis://:pw@redis:6379/0' } },
    ],
  },
  'session-start': {
    reached: [{ refresh: { key } }, { refresh: { keys: [{ ...key, active: true }] } }],
    silent: [{ refresh: { exchange } }],
  },
  'exchange-in-doubt': {
    reached: [withRefreshTokens()],
    silent: [withRefreshTokens({ whenInDoubt: 'stop' }), { refresh: { exchange } }],
  },
  'outbound-proxy': {
    reached: [
      { outbound: {} },
      { outbound: {}, issuers: [{ ...issuer, keys: { jwksUri: 'https://id.example.com/keys' } }] },
      { outbound: {}, issuers: [secretIssuer], refresh: { exchange } },
    ],
    silent: [{ outbound: { proxy: 'none' } }, { outbound: {}, issuers: [secretIssuer] }],
  },
  'app-certificate': {
    reached: [{ upstream: 'https://127.0.0.1:3443' }, { upstream: 'https://app', upstreamTls: { caFile: '/ca.pem' } }],
    silent: [{ upstream: 'https://127.0.0.1:3443', upstreamTls: { serverName: 'app' } }, { upstream: 'http://app' }],
  },
}

interface Answer {
  readonly ok: boolean
  readonly findings: readonly Diagnosis[]
}

function textOf(changed: Settings): string {
  return JSON.stringify({ ...explicit, ...changed })
    .replace('SHORT', shortToken)
    .replace('LONG', longToken)
}

async function upgrade(text: string): Promise<Answer & { readonly exitCode: number }> {
  const path = join(folder, 'sidegate.yaml')
  writeFileSync(path, text)
  const { exitCode, printed } = await sidegate(['doctor', '--upgrade', '--config', path, '--json'])
  return { exitCode, ...(JSON.parse(printed.join('\n')) as Answer) }
}

describe.each(upgradeChanges.map(({ id, keep }) => ({ id, keep })))('$id', ({ id, keep }) => {
  const rule = `upgrade-${id}`
  const { reached, silent } = cases[id] ?? { reached: [], silent: [] }

  test.each(reached.map((settings) => ({ settings })))('reaches $settings', async ({ settings }) => {
    const { exitCode, ok, findings } = await upgrade(textOf(settings))
    const found = findings.filter((finding) => finding.rule === rule)
    expect(found).toMatchObject([
      {
        severity: 'warning',
        file: join(folder, 'sidegate.yaml'),
        object: 'settings',
        path: expect.stringMatching(/./),
      },
    ])
    expect(found[0]?.mend).toMatch(keep === undefined ? /^[A-Z{]/ : `: ${keep}`)
    // Nothing else is wrong with these settings.
    expect([exitCode, ok]).toEqual([0, true])
  })

  test.each(silent.map((settings) => ({ settings })))('leaves $settings', async ({ settings }) => {
    const { findings, ok } = await upgrade(textOf(settings))
    expect(ok).toBe(true)
    expect(findings.map((finding) => finding.rule)).not.toContain(rule)
  })

  test('has settings that it reaches and settings that it leaves', () => {
    expect([reached.length, silent.length]).not.toContain(0)
  })

  // holds: upgrade-changes-settings
  test('is kept by what it says', async () => {
    for (const settings of keep === undefined ? [] : reached) {
      const { findings } = await upgrade(textOf(settings))
      const path = findings.find((finding) => finding.rule === rule)?.path ?? ''
      const kept = withValue({ ...explicit, ...settings }, path, parse(keep ?? ''))
      const text = textOf(kept)
      expect((await upgrade(text)).findings.map((finding) => finding.rule)).not.toContain(rule)
      const loaded = loadConfig({ file: { path: 'sidegate.yaml', text }, environment: {}, flags: {} })
      expect('problems' in loaded ? loaded.problems : []).toEqual([])
    }
  })
})

/** The settings with a value at `issuers[0].tokenTypes`. */
function withValue(settings: Settings, path: string, value: unknown): Settings {
  const copy = structuredClone(settings) as Record<string, unknown>
  const steps = path.split(/[.[\]]+/).filter((step) => step !== '')
  let group = copy
  for (const step of steps.slice(0, -1)) {
    group[step] ??= {}
    group = group[step] as Record<string, unknown>
  }
  group[steps.at(-1) ?? ''] = value
  return copy
}

// holds: upgrade-changes-settings
test('every change has cases here, and every case a change', () => {
  expect(Object.keys(cases)).toEqual(upgradeChanges.map(({ id }) => id))
})

test('settings that say everything are not changed', async () => {
  expect(await upgrade(textOf({}))).toEqual({ exitCode: 0, ok: true, workloads: 0, findings: [] })
})

describe('settings that no longer load', () => {
  test('are wrong as "check" says it, beside what changes', async () => {
    const { exitCode, findings } = await upgrade(textOf({ forward: { identity: { x_user: 'sub' } } }))
    expect(exitCode).toBe(1)
    expect(findings[0]).toMatchObject({
      rule: 'settings-wrong',
      severity: 'error',
      message: expect.stringMatching(/x_user/),
    })
    expect(findings.map(({ rule }) => rule)).toContain('upgrade-header-names')
  })

  test('and of a text that is no YAML nothing is guessed', async () => {
    const { findings } = await upgrade('issuers: [')
    expect(new Set(findings.map(({ rule }) => rule))).toEqual(new Set(['settings-wrong']))
  })

  test('may have any shape', async () => {
    for (const text of [
      '3',
      '[]',
      'issuers: 3',
      'issuers: [3, null]',
      'routes: { a: 1 }',
      'routes: [{ path: 3 }, 4]',
      'tokens: 1',
    ])
      expect((await upgrade(text)).exitCode).toBe(1)
  })
})

const example = join(import.meta.dirname, '../../../deploy/example')
const manifests = readdirSync(example)
  .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
  .map((name) => readFileSync(join(example, name), 'utf8'))
  .join('---\n')

async function upgradeOf(text: string, ...more: readonly string[]): Promise<readonly Diagnosis[]> {
  const { printed } = await sidegate(['doctor', '--upgrade', '-f', '-', '--json', ...more], { input: text })
  return (JSON.parse(printed.join('\n')) as Answer).findings
}

const withVariable = (variable: string) =>
  manifests.replace(
    '          restartPolicy: Always\n',
    `          env: [${variable}]\n          restartPolicy: Always\n`,
  )
const rulesOf = (findings: readonly Diagnosis[]) => findings.map(({ rule }) => rule)

describe('manifests', () => {
  test('are judged by the settings in their ConfigMap, each change once, with the place', async () => {
    const findings = await upgradeOf(manifests)
    expect(findings.every(({ rule, severity }) => rule.startsWith('upgrade-') && severity === 'warning')).toBe(true)
    expect(findings.filter(({ rule }) => rule === 'upgrade-cookie-source')).toMatchObject([
      {
        file: 'standard input',
        object: 'ConfigMap/sidegate',
        path: expect.stringMatching(/^sidegate\.yaml:\d+:\d+ tokens\.sources$/),
      },
    ])
  })

  test('whose ConfigMap no gate here mounts are judged too', async () => {
    const alone = `kind: ConfigMap\nmetadata: { name: other }\ndata: { sidegate.yaml: '${textOf({ tokens: {} })}' }\n`
    expect(rulesOf(await upgradeOf(alone))).toContain('upgrade-cookie-source')
    expect(
      await upgradeOf(`kind: ConfigMap\nmetadata: { name: other }\ndata: { sidegate.yaml: '${textOf({})}' }\n`),
    ).toEqual([])
  })

  test('may say by a variable what they want, also by one whose value stands elsewhere', async () => {
    const variable = (more: string) => withVariable(`{ name: SIDEGATE_TOKENS_SOURCES, ${more} }`)
    expect(rulesOf(await upgradeOf(manifests))).toContain('upgrade-cookie-source')
    for (const more of ['value: "[{ cookie: session }]"', 'valueFrom: { configMapKeyRef: { name: x, key: y } }'])
      expect(rulesOf(await upgradeOf(variable(more)))).not.toContain('upgrade-cookie-source')
  })

  test('change their way out only with a variable that names a proxy, or where variables are not known', async () => {
    expect(rulesOf(await upgradeOf(manifests))).not.toContain('upgrade-outbound-proxy')
    expect(rulesOf(await upgradeOf(withVariable('{ name: HTTPS_PROXY, value: "http://proxy:3128" }')))).toContain(
      'upgrade-outbound-proxy',
    )
    const unknown = manifests.replace(
      '          restartPolicy: Always\n',
      '          envFrom: [{ configMapRef: { name: x } }]\n          restartPolicy: Always\n',
    )
    expect(rulesOf(await upgradeOf(unknown))).toContain('upgrade-outbound-proxy')
  })

  test.each([
    ['short', 'aGVsbG8=', true],
    ['long', Buffer.from(LONG).toString('base64'), false],
  ])('know a %s admin token that is in a Secret here', async (_length, data, isReached) => {
    const secret = `---\nkind: Secret\nmetadata: { name: sidegate }\ndata: { admin-token: ${data} }\n`
    expect(manifests).toContain(TOKEN_FILE)
    const findings = await upgradeOf(manifests + secret)
    expect(rulesOf(findings).includes('upgrade-admin-token')).toBe(isReached)
    expect(JSON.stringify(findings)).not.toContain('hello')
  })

  test('with a Redis of the chart that has no password are found', async () => {
    const redis = (args: string) =>
      `kind: StatefulSet\nmetadata: { name: r }\nspec: { template: { spec: { containers: [{ name: redis, args: [${args}] }] } } }\n`
    expect(rulesOf(await upgradeOf(redis('redis-server, --protected-mode, "no"')))).toEqual([
      'upgrade-chart-redis-password',
    ])
    expect(await upgradeOf(redis('redis-server, --requirepass, $(REDIS_PASSWORD)'))).toEqual([])
  })

  test('whose app reads the Secret of the gate are errors, as such pods are not injected', async () => {
    const pod = (secret: string) => `kind: Pod
metadata: { name: p, labels: { sidegate.dev/inject: 'true' }, annotations: { sidegate.dev/secret: gate-keys } }
spec: { containers: [{ name: app, envFrom: [{ secretRef: { name: ${secret} } }] }] }
`
    expect(rulesOf(await upgradeOf(pod('gate-keys')))).toEqual(['gate-secret-shared'])
    expect(await upgradeOf(pod('app-keys'))).toEqual([])
  })

  test('without their ConfigMap are judged by the settings file', async () => {
    const path = join(folder, 'other.yaml')
    writeFileSync(path, textOf({ tokens: {} }))
    const without = manifests
      .replace('  name: sidegate\ndata', '  name: elsewhere\ndata')
      .replace('sidegate.yaml: |', 'other: |')
    expect(await upgradeOf(without)).toEqual([])
    expect(rulesOf(await upgradeOf(without, '--config', path))).toContain('upgrade-cookie-source')
  })
})

describe('the command', () => {
  test('prints what changes, its place and what keeps it', async () => {
    const path = join(folder, 'printed.yaml')
    writeFileSync(path, textOf({ tokens: {} }).replace('"tokens"', '\n"tokens"'))
    const { exitCode, printed } = await sidegate(['doctor', '--upgrade', '--config', path])
    expect(exitCode).toBe(0)
    expect(printed).toEqual([
      expect.stringMatching(
        /^warning: .*printed\.yaml:2 settings tokens\.sources: .*"session".* \[upgrade-cookie-source\]$/,
      ),
      '  To keep what was, set tokens.sources: [{ header: authorization }, { cookie: session }]',
      expect.stringContaining('upgrade-cookie-websocket-origin'),
      expect.stringContaining('cors.origins'),
      '0 errors, 2 warnings',
    ])
  })

  test('needs manifests or settings', async () => {
    expect((await sidegate(['doctor', '--upgrade'])).exitCode).toBe(2)
    expect((await sidegate(['doctor', '--config', 'sidegate.yaml'])).exitCode).toBe(2)
    expect((await sidegate(['doctor', '--upgrade', '--config', join(folder, 'none')])).exitCode).toBe(1)
  })
})
