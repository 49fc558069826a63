// Makes sure that the programs which the tests start are there: redis-server, and Sidegate in one file, which starts in a fifth of
// the time that its sources take. Runs once, before every test file.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleProgram } from '../../scripts/bundle.ts'

const folder = mkdtempSync(join(tmpdir(), 'sidegate-program-'))

/** Called by vitest. */
export async function setup(): Promise<void> {
  requireRedis()
  const program = join(folder, 'sidegate.mjs')
  await bundleProgram(program)
  process.env.SIDEGATE_TEST_PROGRAM = program
}

/** Called by vitest. */
export function teardown(): void {
  rmSync(folder, { recursive: true, force: true })
}

/** Installs redis-server where that is allowed, else says in one sentence how to. */
function requireRedis(): void {
  if (isInstalled()) return
  if (process.getuid?.() === 0) {
    runQuietly('apt-get', ['update', '-qq'])
    runQuietly('apt-get', ['install', '-y', '-qq', 'redis-server'])
  }
  if (isInstalled()) return
  throw new Error(
    'Cannot run the tests: redis-server is missing; install it, for example with "apt-get install redis-server"',
  )
}

function isInstalled(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0
}

function runQuietly(program: string, args: readonly string[]): void {
  spawnSync(program, args, { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
}
