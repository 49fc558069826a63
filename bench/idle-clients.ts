// Opens WebSockets that then say nothing, each with a token of its own, and holds them until it is ended. What is refused because
// the gate judges no more new tokens at once is tried again.
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

/** What it is told. It answers how many are open. */
export interface IdleOrder {
  readonly port: number
  readonly tokens: readonly string[]
}

const AT_ONCE = 16
const PAUSE_MS = 200

process.once('message', async ({ port, tokens }: IdleOrder) => {
  const open: WebSocket[] = []
  let next = 0
  const opener = async (): Promise<void> => {
    while (next < tokens.length) open.push(await connectAtLast(port, tokens[next++] ?? ''))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, opener))
  process.send?.(open.filter((socket) => socket.readyState === WebSocket.OPEN).length)
})

async function connectAtLast(port: number, token: string): Promise<WebSocket> {
  for (;;) {
    const socket = await connect(port, token)
    if (socket !== undefined) return socket
    await sleep(PAUSE_MS)
  }
}

/** Nothing where the gate answers 503. */
function connect(port: number, token: string): Promise<WebSocket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${token}` } })
    socket.on('open', () => resolve(socket)).on('error', reject)
    socket.on('unexpected-response', (request, { statusCode }) => {
      request.destroy()
      if (statusCode === 503) resolve(undefined)
      else reject(new Error(`Cannot open a WebSocket: status is ${statusCode}`))
    })
  })
}
