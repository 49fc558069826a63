// Every kind of client at once: good ones, junk, some that leave in the middle, some that read slowly, some by WebSocket.
import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

/** What it is told: known tokens, and a wrong one to make others from. */
export interface SoakOrder {
  readonly port: number
  readonly tokens: readonly string[]
  readonly junk: string
  readonly seconds: number
}

export type SoakAnswer = Readonly<Record<string, number>>

process.once('message', async ({ port, tokens, junk, seconds }: SoakOrder) => {
  const agent = new Agent({ keepAlive: true })
  const counts: Record<string, number> = {}
  const count = (what: string) => {
    counts[what] = (counts[what] ?? 0) + 1
  }
  const endMs = performance.now() + seconds * 1000
  let turn = Math.floor(Math.random() * 1e9)
  const known = () => tokens[turn++ % tokens.length] ?? ''
  // In the middle of the signature, in characters of base64url
  const unique = () => junk.slice(0, -50) + (turn++).toString(36).padStart(8, 'A') + junk.slice(-42)

  await Promise.all([
    ...several(24, () => ask('/', known())),
    ...several(12, () => ask('/', unique())),
    ...several(8, () => ask('/slow', known(), 'leaving')),
    ...several(8, () => ask('/slow', known(), 'slowly')),
    ...several(8, talk),
  ])
  agent.destroy()
  process.send?.(counts satisfies SoakAnswer)

  function several(number: number, once: () => Promise<void>): Promise<void>[] {
    return Array.from({ length: number }, async () => {
      while (performance.now() < endMs) await once()
    })
  }

  function ask(path: string, token: string, manner: Manner = 'plain'): Promise<void> {
    return new Promise((resolve) => {
      const headers = { authorization: `Bearer ${token}` }
      const outgoing = request({ port, host: '127.0.0.1', path, agent, headers }, (answer) => {
        count(`${manner} ${answer.statusCode}`)
        answer.on('error', () => count(`${manner} broken`)).on('close', resolve)
        void read(answer, manner)
      })
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        count(`${manner} ${error.code}`)
        resolve()
      })
      outgoing.end()
    })
  }

  function talk(): Promise<void> {
    return new Promise((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${known()}` } })
      let left = 20
      socket.on('open', () => socket.send('x'.repeat(1000)))
      socket.on('message', (message) => {
        if (--left > 0) return socket.send(message)
        count('socket done')
        if (Math.random() < 0.5) socket.terminate()
        else socket.close()
      })
      socket.on('error', () => count('socket error'))
      socket.on('close', () => resolve())
    })
  }
})

type Manner = 'plain' | 'leaving' | 'slowly'

async function read(answer: IncomingMessage, manner: Manner): Promise<void> {
  answer.resume()
  if (manner === 'leaving') {
    await sleep(Math.random() * 200)
    answer.destroy()
  }
  while (manner === 'slowly' && !answer.destroyed) {
    answer.pause()
    await sleep(30)
    answer.resume()
    await sleep(1)
  }
}
