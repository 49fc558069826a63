// On which versions of Node does the gate run? Only on those that tell all headers (CVE-2026-58044), unless somebody insists.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canLoad, isPatchedRuntime, unpatchedMessage } from '../../src/runtime/node-version.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

test.each([
  ['20.20.2', false],
  ['22.12.0', false],
  ['22.18.0', false],
  ['22.19.0', true],
  ['24.0.0', true],
])('Node %s can load the libraries of the gate: %s', (version, loads) => {
  expect(canLoad(version)).toBe(loads)
})

test.each([
  ['18.20.8', false],
  ['20.20.2', false],
  ['21.7.3', false],
  ['22.23.1', false],
  ['22.23.2', true],
  ['22.24.0', true],
  ['23.11.1', false],
  ['24.0.0', false],
  ['24.18.0', false],
  ['24.18.1', true],
  ['24.19.0', true],
  ['25.9.0', false],
  ['26.5.0', false],
  ['26.5.1', true],
  ['26.10.0', true],
  ['27.0.0', true],
  ['28.1.0', true],
  ['v24.18.1', true],
  ['v22.23.1', false],
  ['', false],
  ['next', false],
])('%s: %s', (version, isPatched) => {
  expect(isPatchedRuntime(version)).toBe(isPatched)
})

// holds: runtime-with-known-holes
test('this very Node may run it, and package.json asks for the same versions', async () => {
  expect(isPatchedRuntime(process.versions.node)).toBe(true)
  const { engines } = (await import('../../package.json', { with: { type: 'json' } })).default
  expect(engines.node).toBe('^22.23.2 || ^24.18.1 || >=26.5.1')
})

test('the message says why, what to use and how to insist', () => {
  const message = unpatchedMessage('20.20.2')
  expect(message).toContain('Cannot run on Node 20.20.2')
  expect(message).toContain('CVE-2026-58044')
  expect(message).toContain('Node 22.23.2, 24.18.1, 26.5.1 or later')
  expect(message).toContain('--allow-unpatched-runtime')
  expect(message).not.toMatch(/\n|\.$/)
})

/** A Node without the fix, outside node_modules; nothing where this machine has none. */
function findUnpatchedNode(): { path: string; version: string } | undefined {
  for (const folder of (process.env.PATH ?? '').split(':')) {
    if (folder.includes('node_modules')) continue
    const path = join(folder, 'node')
    const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
    const version = stdout?.trim().replace(/^v/, '') ?? ''
    if (status === 0 && !isPatchedRuntime(version)) return { path, version }
  }
  return undefined
}

const unpatched = findUnpatchedNode()

describe.skipIf(unpatched === undefined)('the built command on a Node without the fix', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sidegate-runtime-'))
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
    execFileSync(process.execPath, [
      compiler,
      '-p',
      join(ROOT, 'tsconfig.build.json'),
      '--outDir',
      join(folder, 'dist'),
    ])
    cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const run = (...given: string[]) =>
    spawnSync(unpatched?.path ?? '', [join(folder, 'dist/cli.js'), ...given], { encoding: 'utf8', timeout: 20_000 })

  test.each([[[]], [['run']], [['check']], [['--version']], [['--help']]])(
    'answers 2 and one line, whatever is asked: %j',
    (given) => {
      const { status, stdout, stderr } = run(...given)
      expect(stderr).toBe(`${unpatchedMessage(unpatched?.version ?? '')}\n`)
      expect(stdout).toBe('')
      expect(status).toBe(2)
    },
  )

  test('with --allow-unpatched-runtime that line is gone', () => {
    const { status, stderr, stdout } = run('--allow-unpatched-runtime', '--version')
    expect(stderr).not.toContain('CVE-2026-58044')
    if (status === 0) expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test('the same build runs on this Node', () => {
    const { status, stdout } = spawnSync(process.execPath, [join(folder, 'dist/cli.js'), '--version'], {
      encoding: 'utf8',
    })
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)])
  })
})
