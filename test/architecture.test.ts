// The shape of the house: which way imports run, which file is the door to which library, who may make evidence, and that
// nothing goes round in circles.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const source = join(root, 'src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort()
const texts = new Map(files.map((path) => [path, readFileSync(join(source, path), 'utf8')]))

interface Import {
  readonly from: string
  readonly to: string
  readonly isType: boolean
}

const imports: readonly Import[] = [...texts].flatMap(([from, text]) =>
  [...text.matchAll(/(?:^(import|export) (type )?[^;'"]*?from |\bimport\()'([^']+)'/gm)].map((match) => ({
    from,
    to: match[3]?.startsWith('.') ? relative(source, join(source, dirname(from), match[3])) : (match[3] ?? ''),
    isType: match[2] !== undefined,
  })),
)

/** The floor that a file stands on: its folder, or its own name at the top. */
function floorOf(path: string): string {
  const [first = ''] = path.split('/')
  return first.replace(/\.ts$/, '')
}

/** Who may import whom, besides their own folder. `model` is for everybody, and imports nothing. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  cli: ['runtime', 'commands'],
  commands: [
    ...[
      'demo',
      'app',
      'assembly',
      'gate',
      'admission',
      'token',
      'revocation',
      'refresh',
      'telemetry',
      'config',
      'version',
    ],
    ...['kubernetes', 'injector', 'workers'],
  ],
  demo: ['app', 'assembly', 'client', 'token', 'telemetry', 'config', 'version'],
  // It is shipped to browsers, alone.
  client: [],
  app: ['workers', 'assembly', 'proxy', 'admin', 'gate', 'token', 'revocation', 'refresh', 'telemetry', 'config'],
  // Several processes as one gate.
  workers: ['admin', 'telemetry', 'config'],
  assembly: ['proxy', 'admin', 'gate', 'admission', 'route', 'token', 'revocation', 'refresh', 'telemetry', 'config'],
  // The revocation API and the command line are one code: both speak in rules.
  admin: ['revocation'],
  proxy: [],
  gate: ['admission'],
  // Whether a token still stands.
  admission: [],
  route: [],
  token: [],
  revocation: [],
  refresh: ['admission'],
  telemetry: [],
  config: [],
  // What a pod gains. It knows manifests, and nothing of a gate that runs.
  kubernetes: [],
  // It runs in a pod of its own: it writes gates and is none, and shares with them how one serves.
  injector: ['kubernetes', 'admin', 'proxy', 'config'],
  model: [],
  runtime: [],
  version: [],
}

/** Each library has one door. */
const DOORS: Readonly<Record<string, RegExp>> = {
  jose: /^token\//,
  ioredis: /^revocation\/redis-client\.ts$/,
  // trust.ts: the fetch of Node takes no certificates of a private authority.
  undici: /^(proxy\/forward|assembly\/outbound)\.ts$/,
  'http-proxy-3': /^proxy\/tunnel\.ts$/,
  'prom-client': /^telemetry\/(metrics|totals)\.ts$/,
  pino: /^telemetry\/log\.ts$/,
  'pino-pretty': /^telemetry\/log\.ts$/,
  yargs: /^commands\//,
  zod: /^config\//,
  // Manifests are written back, with their comments; settings are only read.
  yaml: /^(config\/|kubernetes\/manifest)/,
  leven: /^(config|commands|kubernetes|injector)\//,
  'lru-cache': /^(token|refresh)\//,
  oauth4webapi: /^refresh\//,
}

describe('the architecture', () => {
  it('is read by this test', () => {
    expect(files.length).toBeGreaterThan(60)
    expect(imports.length).toBeGreaterThan(200)
  })

  it('names every floor', () => {
    expect([...new Set(files.map(floorOf))].filter((floor) => MAY_IMPORT[floor] === undefined)).toEqual([])
  })

  it('has imports run downward only', () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!texts.has(to)) return false
      const [upper, lower] = [floorOf(from), floorOf(to)]
      return upper !== lower && lower !== 'model' && !MAY_IMPORT[upper]?.includes(lower)
    })
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  it('has a model that imports nothing but itself', () => {
    expect(imports.filter(({ from, to }) => floorOf(from) === 'model' && floorOf(to) !== 'model')).toEqual([])
  })

  it('has one door to each library', () => {
    const libraries = imports.filter(({ to }) => !texts.has(to) && !to.startsWith('node:') && !to.endsWith('.json'))
    const wrong = libraries.filter(({ from, to }) => !DOORS[to]?.test(from))
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  it('has no circles', () => {
    expect(circles()).toEqual([])
  })

  const makers: Readonly<Record<string, string>> = { VerifiedToken: 'token/verify.ts', Permit: 'gate.ts' }
  for (const [evidence, maker] of Object.entries(makers)) {
    it(`lets only ${maker} make a ${evidence}`, () => {
      const casts = new RegExp(`\\bas (unknown as )?${evidence}\\b|satisfies ${evidence}\\b|<${evidence}>\\{`)
      expect([...texts].filter(([, text]) => casts.test(text)).map(([path]) => path)).toEqual([maker])
    })
  }

  it('reads the process in few places: variables and arguments in cli.ts alone', () => {
    const wrong = [...texts].filter(
      ([path, text]) => path !== 'cli.ts' && /process\.(env|argv|exit\b|stdin)/.test(text),
    )
    expect(wrong.map(([path]) => path)).toEqual([])
  })

  it('asks no clock of its own in the core', () => {
    const core = /^(gate\.ts|admission\.ts|model|token|route|refresh|revocation|proxy|telemetry|admin)/
    const code = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    const wrong = [...texts].filter(
      ([path, text]) => core.test(path) && /Date\.now|new Date\(\)|performance\.now/.test(code(text)),
    )
    expect(wrong.map(([path]) => path)).toEqual([])
  })

  it('has no file of leftovers', () => {
    expect(files.filter((path) => /(utils?|helpers?|common|manager|misc|index)\.ts$/.test(path))).toEqual([])
  })

  it('opens every file with what it is for', () => {
    const wrong = [...texts].filter(([, text]) => !/^(#!.*\n)?\/\/ \S/.test(text))
    expect(wrong.map(([path]) => path)).toEqual([])
  })
})

function circles(): string[] {
  const edges = new Map<string, string[]>()
  for (const { from, to, isType } of imports) {
    if (isType || !texts.has(to)) continue
    edges.set(from, [...(edges.get(from) ?? []), to])
  }
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      found.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return found
}
