// Shows a gate every token once, gently: a gate that remembers tokens bounds how many it sees for the first time at once, and code
// that has not run is not fast yet.
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Runner } from './contenders.ts'
import type { Stage } from './stage.ts'
import { runWrk } from './wrk.ts'

const AT_ONCE = 2
const PAUSE_MS = 20
const TRIES = 50

/** Throws where the gate does not admit a token. */
export async function warmUp({ id, port, algorithm, processId }: Runner, stage: Stage, seconds: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const tokens = stage.tokens(algorithm)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < tokens.length) await admitAtLast(tokens[next++] ?? '')
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  agent.destroy()
  await runWrk({ port, processId, seconds, kind: 'get', tokensFile: stage.tokensFile(algorithm) })

  async function admitAtLast(token: string): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      const status = await statusOf(token)
      if (status === 200) return
      if (status !== 503) throw new Error(`Cannot warm up "${id}": status is ${status}`)
      await sleep(PAUSE_MS)
    }
    throw new Error(`Cannot warm up "${id}": it sheds a token again and again`)
  }

  function statusOf(token: string): Promise<number | undefined> {
    const headers = { authorization: `Bearer ${token}`, host: 'orders.example.com' }
    return new Promise((resolve, reject) => {
      request({ port, host: '127.0.0.1', path: '/orders/1', agent, headers }, (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode))
      })
        .on('error', reject)
        .end()
    })
  }
}
