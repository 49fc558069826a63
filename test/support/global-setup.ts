// Makes sure that the programs which the tests start are there: redis-server. Runs once, before every test file.
import { spawnSync } from 'node:child_process'

/** Called by vitest. Installs redis-server where that is allowed, else says in one sentence how to. */
export function setup(): void {
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
