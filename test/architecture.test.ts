// The shape of the house: which way imports run, which file is the door to which library, who may make evidence, and that
// nothing goes round in circles.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rooms, subRooms } from '../scripts/documents/rooms.ts'

const root = resolve(import.meta.dirname, '..')
const source = join(root, 'src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort()
const texts = new Map(files.map((path) => [path, readFileSync(join(source, path), 'utf8')]))

interface Import {
  readonly from: string
  readonly to: string
}

const imports: readonly Import[] = [...texts].flatMap(([from, text]) =>
  [...text.matchAll(/(?:^(import|export) (type )?[^;'"]*?from |\bimport\()'([^']+)'/gm)].map((match) => ({
    from,
    to: match[3]?.startsWith('.') ? relative(source, join(source, dirname(from), match[3])) : (match[3] ?? ''),
  })),
)

/** The room of a file: its folder, of a server that of the server, or its own name at the top. */
function roomOf(path: string): string {
  const steps = path.split('/')
  return steps.length > 2 && steps[0] === 'servers' ? `servers/${steps[1]}` : (steps[0] ?? '')
}

/** The folder within a room that has directions of its own. */
const subRoomOf = (path: string) => Object.keys(subRooms).find((sub) => path.startsWith(`${sub}/`))

const inSource = imports.filter(({ to }) => texts.has(to))
const written = (wrong: readonly Import[]) => wrong.map(({ from, to }) => `${from} → ${to}`)

/** Each library has one door. */
const DOORS: Readonly<Record<string, RegExp>> = {
  jose: /^token\//,
  ioredis: /^redis\/client\.ts$/,
  // outbound.ts: the fetch of Node takes no certificates of a private authority.
  undici: /^(upstream\/forward|assembly\/outbound)\.ts$/,
  'http-proxy-3': /^upstream\/tunnel\/tunnel\.ts$/,
  'prom-client': /^telemetry\/metrics\/(metrics|totals)\.ts$/,
  pino: /^telemetry\/logs\/log\.ts$/,
  'pino-pretty': /^telemetry\/logs\/log\.ts$/,
  yargs: /^commands\//,
  zod: /^config\//,
  // Manifests are written back, with their comments; settings are only read.
  yaml: /^(config|kubernetes\/manifests)\//,
  leven: /^(config|commands|kubernetes)\//,
  'lru-cache': /^(token|refresh)\//,
  oauth4webapi: /^refresh\/identity-provider\//,
}

describe('the architecture', () => {
  it('is read by this test', () => {
    expect(files.length).toBeGreaterThan(60)
    expect(imports.length).toBeGreaterThan(200)
  })

  it('names every room', () => {
    const named = rooms.map(({ path }) => path)
    expect([...new Set(files.map(roomOf))].sort()).toEqual(named.toSorted())
  })

  it('names every folder within a room', () => {
    const folders = files.filter((path) => path.split('/').length > (path.startsWith('servers/') ? 3 : 2))
    expect(folders.filter((path) => subRoomOf(path) === undefined)).toEqual([])
  })

  it('has imports run one way between rooms, types included', () => {
    const may = new Map(rooms.map((room) => [room.path, new Set([room.path, 'model', ...room.imports])]))
    may.set('model', new Set(['model']))
    expect(written(inSource.filter(({ from, to }) => !may.get(roomOf(from))?.has(roomOf(to))))).toEqual([])
  })

  it('has imports run one way within a room, types included', () => {
    const wrong = inSource.filter(({ from, to }) => {
      const [own, other] = [subRoomOf(from), subRoomOf(to)]
      if (own === undefined || own === other || roomOf(from) !== roomOf(to)) return false
      const { imports: allowed = [], isClosed = false } = subRooms[own] ?? {}
      return other === undefined ? isClosed : !allowed.includes(other)
    })
    expect(written(wrong)).toEqual([])
  })

  it('has one door to each library', () => {
    const libraries = imports.filter(({ to }) => !texts.has(to) && !to.startsWith('node:') && !to.endsWith('.json'))
    expect(written(libraries.filter(({ from, to }) => !DOORS[to]?.test(from)))).toEqual([])
  })

  it('has no circles, types included', () => {
    expect(circles()).toEqual([])
  })

  const makers: Readonly<Record<string, string>> = { VerifiedToken: 'token/verify.ts', Permit: 'gate/gate.ts' }
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
    const core = /^(model|gate|token|refresh|revocation|redis|http|upstream|servers|telemetry|outbound-http)\//
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
  for (const { from, to } of imports) {
    if (!texts.has(to)) continue
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
