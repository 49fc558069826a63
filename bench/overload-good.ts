// Good traffic at a fixed rate, whatever the answers do: remembered tokens, each request counted from the moment it was due.
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { summarize } from './figures.ts'

/** What it is told: known tokens, requests per second, and for how long. */
export interface GoodOrder {
  readonly port: number
  readonly tokens: readonly string[]
  readonly perSecond: number
  readonly seconds: number
}

export interface GoodAnswer {
  readonly sent: number
  readonly served: number
  readonly p50: number
  readonly p99: number
  readonly others: Readonly<Record<string, number>>
}

const PATIENCE_MS = 5_000

process.once('message', async ({ port, tokens, perSecond, seconds }: GoodOrder) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const latencies: number[] = []
  const others: Record<string, number> = {}
  const pending: Promise<void>[] = []
  const startedMs = performance.now()
  const total = perSecond * seconds
  for (let count = 0; count < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedMs) / 1000) * perSecond))
    for (; count < due; count++)
      pending.push(send(tokens[count % tokens.length] ?? '', startedMs + (count / perSecond) * 1000))
    await sleep(2)
  }
  await Promise.all(pending)
  const { median: p50, p99 } = summarize(latencies)
  process.send?.({ sent: total, served: latencies.length, p50, p99, others } satisfies GoodAnswer)

  function send(token: string, dueMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (what: string) => {
        if (what === '200') latencies.push(performance.now() - dueMs)
        else others[what] = (others[what] ?? 0) + 1
        resolve()
      }
      const headers = { authorization: `Bearer ${token}` }
      const outgoing = request(
        { port, host: '127.0.0.1', path: '/', agent, headers, timeout: PATIENCE_MS },
        (answer) => {
          answer.resume().on('end', () => end(String(answer.statusCode)))
        },
      )
      outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')))
      outgoing.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
      outgoing.end()
    })
  }
})
