// A real Prometheus for one test file: it scrapes gates twice a second, judges the shipped alerts and answers queries.
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { vi } from 'vitest'
import { freePort } from './listen.ts'

export interface ScrapeTarget {
  /** The admin port of a gate. */
  readonly port: number
  readonly labels: Readonly<Record<string, string>>
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}

export interface Prometheus {
  /** The answer to a query, at this moment; throws where Prometheus does not take the query. */
  query(expression: string): Promise<readonly Sample[]>
  /** Asks its API, such as `rules`, and answers what is in `data`. */
  api(path: string): Promise<unknown>
  /** Resolves when every target has been scraped this many times more. */
  scraped(times: number): Promise<void>
  stop(): Promise<void>
}

/** Starts it; resolves when it is ready. */
export async function startPrometheus(targets: readonly ScrapeTarget[], ruleFile: string): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'sidegate-prometheus-'))
  const port = await freePort()
  const settings = {
    global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '1s' },
    rule_files: [ruleFile],
    scrape_configs: [
      {
        job_name: 'sidegate',
        static_configs: targets.map((target) => ({ targets: [`127.0.0.1:${target.port}`], labels: target.labels })),
      },
    ],
  }
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(settings))
  const server = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  // Without this a test process that is killed would leave it behind.
  const onExit = () => server.kill('SIGKILL')
  process.once('exit', onExit)
  server.once('exit', () => process.off('exit', onExit))
  const base = `http://127.0.0.1:${port}`
  await Promise.race([
    vi.waitFor(() => refuseUnless(fetch(`${base}/-/ready`).then(({ ok }) => ok)), { timeout: 20_000 }),
    endOf(server),
  ])

  async function api(path: string): Promise<unknown> {
    const response = await fetch(`${base}/api/v1/${path}`)
    const answer = (await response.json()) as { status: string; error?: string; data?: unknown }
    if (answer.status !== 'success') throw new Error(`Cannot ask "${path}": ${answer.error}`)
    return answer.data
  }
  async function query(expression: string): Promise<readonly Sample[]> {
    const { result } = (await api(`query?${new URLSearchParams({ query: expression })}`)) as {
      result: readonly { metric: Record<string, string>; value: [number, string] }[]
    }
    return result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }))
  }
  async function fewestScrapes(): Promise<number> {
    const counts = await query('sum_over_time(up{job="sidegate"}[10m])')
    return counts.length < targets.length ? 0 : Math.min(...counts.map(({ value }) => value))
  }

  return {
    query,
    api,
    scraped: async (times) => {
      const before = await fewestScrapes()
      await vi.waitFor(() => refuseUnless(fewestScrapes().then((count) => count >= before + times)), {
        timeout: 20_000,
      })
    },
    stop: async () => {
      await end(server)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Rejects when it has ended, with what it said. */
function endOf(server: ChildProcessByStdio<null, null, Readable>): Promise<never> {
  let output = ''
  server.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  return new Promise((_, reject) => {
    server.once('error', reject)
    // "close": its last line, which says why, may come after its end.
    server.once('close', (code) => reject(new Error(`Cannot start prometheus: exit code is ${code}\n${output}`)))
  })
}

async function refuseUnless(isDone: Promise<boolean>): Promise<void> {
  if (!(await isDone)) throw new Error('Not yet')
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return
  server.kill('SIGTERM')
  await once(server, 'exit')
}
