// A listening socket on a free port, whatever the server is.
import { randomInt } from 'node:crypto'
import { type AddressInfo, createServer, type Server } from 'node:net'

/** Starts to listen on 127.0.0.1 and answers the port. */
export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

// None of those that the system gives to whoever asks for any, and each of the processes that run test files has some thousand
// of its own: between this answer and its use somebody else would be given the port now and then.
const FIRST_PORT = 10_240
const PORTS_PER_PROCESS = 5_000
const PROCESSES = 4
const ownFirstPort = FIRST_PORT + (Number(process.env.VITEST_POOL_ID ?? 0) % PROCESSES) * PORTS_PER_PROCESS
let turn = randomInt(PORTS_PER_PROCESS)

/** A port on which nothing listens, and another one each time. */
export async function freePort(): Promise<number> {
  for (;;) {
    turn = (turn + 1) % PORTS_PER_PROCESS
    const port = ownFirstPort + turn
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (isFree) return port
  }
}
