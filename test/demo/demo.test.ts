// `sidegate demo`: every story comes out as it should, the printed lines work as printed, and nothing stays behind.
import { type ChildProcess, execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { demoSteps } from '../../src/demo/steps.ts'
import { reasons } from '../../src/model/refusal.ts'
import { loadPage, startDemo } from '../support/demo.ts'
import { eventually } from '../support/eventually.ts'
import { type Ran, sidegate } from '../support/shell.ts'

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const folderIn = (text: string) => /\/\S*sidegate-demo-\w+/.exec(text)?.[0] ?? 'none'
/** A JWT with its signature. */
const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]+/

describe('demo --script', () => {
  test('runs every line, each outcome is right, and it answers 0', async () => {
    const { printed, complained, exitCode, text } = await sidegate(['demo', '--script'])
    expect(printed.filter((line) => line.includes('✗'))).toEqual([])
    expect(printed.filter((line) => line.includes('✓'))).toHaveLength(demoSteps.length)
    expect(printed.filter((line) => line.trim().startsWith('curl -i '))).toHaveLength(demoSteps.length)
    expect(printed.at(-1)).toContain(`All ${demoSteps.length} outcomes are as they should be`)
    expect(complained).toEqual([])
    expect(exitCode).toBe(0)
    expect(text).not.toMatch(TOKEN)
    expect(existsSync(folderIn(text))).toBe(false)
  })

  test('an outcome that is wrong is marked, told with what came instead, and answers 1', async () => {
    // The tokens are made when the script begins: two hours later they have all expired.
    let nowMs = Date.now()
    const hoursLater = (line: string) => {
      if (line.startsWith(' 1 ')) nowMs += 2 * 3_600_000
    }
    const { printed, exitCode, text } = await sidegate(['demo', '--script'], {
      clock: () => nowMs,
      onPrint: hoursLater,
    })
    const wrong = printed.filter((line) => line.includes('✗'))
    expect(wrong[0]).toMatch(/✗ expected 200, x-auth-subject: alice; got 401 .*token_expired/)
    expect(printed.at(-1)).toBe(`${wrong.length} of ${demoSteps.length} outcomes are not as they should be`)
    expect(exitCode).toBe(1)
    expect(text).not.toMatch(TOKEN)
    expect(existsSync(folderIn(text))).toBe(false)
  })

  test('shows each kind of outcome, by reasons that exist', () => {
    const shown = demoSteps.map(({ shows }) => shows)
    for (const reason of ['token_missing', 'token_expired', 'token_revoked', 'signature_invalid', 'scope_insufficient'])
      expect(shown).toContain(reason)
    expect(shown.filter((word) => /^[a-z]+_[a-z_]+$/.test(word)).every((word) => reasons.includes(word as never))).toBe(
      true,
    )
    expect(shown.filter((word) => word.includes('x-refreshed-token'))).toHaveLength(2)
  })
})

test('two demos at once each get ports of their own', async () => {
  const both: Ran[] = await Promise.all([sidegate(['demo', '--script']), sidegate(['demo', '--script'])])
  expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0])
})

const children = new Set<ChildProcess>()
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

describe('demo', () => {
  async function start() {
    const started = await startDemo(CLI)
    children.add(started.child)
    const exited = once(started.child, 'exit') as Promise<[code: number | null, signal: string | null]>
    return { ...started, exited }
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'serves until %s, then answers 0 and leaves nothing behind',
    async (signal) => {
      const { child, text, exited } = await start()
      const folder = folderIn(text)
      for (const name of ['alice.jwt', 'admin-token', 'signing.pem'])
        expect((statSync(`${folder}/${name}`).mode & 0o777).toString(8)).toBe('600')
      expect(text).not.toMatch(TOKEN)
      const gate = /curl -i (http:\/\/127\.0\.0\.1:\d+)\/orders/.exec(text)?.[1]
      expect((await fetch(`${gate}/public/hello`)).status).toBe(200)
      child.kill(signal)
      expect(await exited).toEqual([0, null])
      expect(existsSync(folder)).toBe(false)
      // Another demo may have taken the port at once.
      await eventually(() => expect(fetch(`${gate}/public/hello`)).rejects.toThrow())
    },
  )

  test('prints first where its page is, and serves it from the sources', async () => {
    const { text, url } = await start()
    expect(text).toMatch(/^Open http:\/\/127\.0\.0\.1:\d+\/ to watch a token live and be renewed\.\n/)
    const loaded = await loadPage(url)
    expect(Object.keys(loaded).sort()).toEqual([
      '/',
      ...['client.js', 'icon.svg', 'page.css', 'page.js'].map((name) => `/demo/page/${name}`),
    ])
    expect(loaded['/demo/page/page.js']).not.toMatch(/: (string|number|boolean)\b/)
    const token = (await (await fetch(`${url}demo/sign-in`, { method: 'POST' })).json()) as { token: string }
    const post = (path: string, headers: Record<string, string>) =>
      fetch(`${url}demo/${path}`, { method: 'POST', headers })
    expect((await post('revoke-me', { 'x-auth-subject': 'alice' })).status).toBe(401)
    expect((await post('revoke-me', { authorization: `Bearer ${token.token}` })).status).toBe(200)
    expect((await post('revoke-me', { authorization: `Bearer ${token.token}` })).status).toBe(401)
  })

  test.skipIf(spawnSync('curl', ['--version']).status !== 0)(
    'the printed lines work in a shell, as printed',
    async () => {
      const { child, text, exited } = await start()
      const lines = text.split('\n')
      for (const step of demoSteps) {
        const line = lines[lines.indexOf(`# ${step.title}: ${step.status}, ${step.shows}`) + 1] ?? ''
        expect(line).toMatch(/^curl -i /)
        const { stdout } = await promisify(execFile)('sh', ['-c', line.replace('curl -i', 'curl -sS -i')])
        expect([step.title, stdout.split('\r\n')[0]]).toEqual([
          step.title,
          expect.stringMatching(new RegExp(`^HTTP/1\\.1 ${step.status} `)),
        ])
        const [head = '', body = ''] = stdout.split('\r\n\r\n')
        const pairs = head
          .split('\r\n')
          .slice(1)
          .map((header) => header.split(/: (.*)/).slice(0, 2) as [string, string])
        expect([step.title, step.check({ headers: new Headers(pairs), body })]).toEqual([step.title, true])
      }
      child.kill('SIGTERM')
      await exited
    },
  )
})
