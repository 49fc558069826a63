import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { loadPage, startDemo } from '../support/demo.ts'
import { freePort } from '../support/listen.ts'

const root = join(import.meta.dirname, '..', '..')
const run = promisify(execFile)
/** A folder with the one file in it and no node_modules above it. */
const alone = mkdtempSync(join(tmpdir(), 'sidegate-bundle-'))

beforeAll(async () => {
  await run(process.execPath, [join(root, 'scripts', 'build.ts'), '--bundle'], { cwd: root }).catch((error) => {
    throw new Error(`Cannot build:\n${error.stdout}${error.stderr}`)
  })
  copyFileSync(join(root, 'dist-bundle', 'sidegate.mjs'), join(alone, 'sidegate.mjs'))
})

afterAll(() => rmSync(alone, { recursive: true, force: true }))

function sidegate(...args: string[]) {
  return run(process.execPath, ['sidegate.mjs', ...args], { cwd: alone })
}

test('dist/cli.js is a program that knows its version', async () => {
  const cli = join(root, 'dist', 'cli.js')
  expect(readFileSync(cli, 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true)
  expect(statSync(cli).mode & 0o111).toBe(0o111)
  expect((await run(process.execPath, [cli, '--version'])).stdout.trim()).toBe(manifest.version)
})

test('the bundle knows its version without a package.json beside it', async () => {
  expect((await sidegate('--version')).stdout.trim()).toBe(manifest.version)
})

test('the bundle shows the whole product without node_modules', async () => {
  expect((await sidegate('demo', '--script')).stdout).toMatch(/All \d+ outcomes are as they should be/)
})

test.each([
  ['dist/cli.js', () => join(root, 'dist', 'cli.js')],
  ['the bundle', () => join(alone, 'sidegate.mjs')],
] as const)('%s serves the page of the demo', async (_, program) => {
  const { child, url } = await startDemo(program())
  const loaded = await loadPage(url)
  child.kill('SIGTERM')
  expect(Object.keys(loaded)).toHaveLength(5)
  expect(loaded['/demo/page/client.js']).toContain('export function withRefresh(')
})

test('another project imports sidegate/client, with its types, for browsers and for Node', async () => {
  const project = join(alone, 'project')
  mkdirSync(join(project, 'node_modules'), { recursive: true })
  symlinkSync(root, join(project, 'node_modules', 'sidegate'))
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(project, 'page.ts'),
    `import { type RefreshingFetch, withRefresh } from 'sidegate/client'
const api: RefreshingFetch = withRefresh(fetch, localStorage, { onSessionEnd: (reason) => reason.toUpperCase() })
export const status: number = (await api('/orders', { method: 'PUT', body: new FormData() })).status
// @ts-expect-error There is no such option
withRefresh(fetch, localStorage, { colour: 'red' })
`,
  )
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom', '--types', '', 'page.ts']
  for (const resolution of [
    ['--module', 'nodenext'],
    ['--module', 'esnext', '--moduleResolution', 'bundler'],
  ])
    await run(process.execPath, [compiler, ...resolution, ...options], { cwd: project }).catch(({ stdout }) =>
      expect(stdout).toBe(''),
    )
  writeFileSync(
    join(project, 'node.js'),
    "import { withRefresh } from 'sidegate/client'; console.log(typeof withRefresh)",
  )
  expect((await run(process.execPath, ['node.js'], { cwd: project })).stdout.trim()).toBe('function')
})

test('the licence of every package in the bundle goes with it', () => {
  const licences = readFileSync(join(root, 'dist-bundle', 'THIRD-PARTY-LICENSES.txt'), 'utf8')
  for (const name of Object.keys(manifest.dependencies)) expect(licences, name).toMatch(new RegExp(`^${name} \\d`, 'm'))
})

test('the bundle checks settings, runs with them in both log formats, and leaves with 0 when it is told to', async () => {
  await sidegate('keys', 'generate', '--algorithm', 'EdDSA', '--out', 'keys')
  const [port, adminPort] = [await freePort(), await freePort()]
  writeFileSync(join(alone, 'sidegate.yaml'), settings(port, adminPort))
  expect((await sidegate('check', '--config', 'sidegate.yaml')).stdout).toContain('The settings are valid')

  for (const format of ['json', 'pretty']) {
    const args = ['sidegate.mjs', '--config', 'sidegate.yaml', '--log-format', format]
    const gate = spawn(process.execPath, args, { cwd: alone, stdio: ['ignore', 'pipe', 'inherit'] })
    const output = collect(gate)
    await vi.waitFor(async () => expect((await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status).toBe(200), 10_000)
    expect((await fetch(`http://127.0.0.1:${port}/orders`)).status).toBe(401)
    gate.kill('SIGTERM')
    await new Promise((resolve) => gate.once('close', resolve))
    expect(gate.exitCode).toBe(0)
    expect(output()).toContain(format === 'json' ? '"reason":"token_missing"' : 'reason: "token_missing"')
  }
})

function settings(port: number, adminPort: number): string {
  return `listen: 127.0.0.1:${port}
admin: { listen: '127.0.0.1:${adminPort}' }
issuers: [{ issuer: https://id.example.com, audiences: [orders], keys: { jwksFile: keys/jwks.json } }]
`
}

function collect(child: ChildProcess): () => string {
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  return () => text
}
