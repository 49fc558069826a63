// A line to a server that can break in every way a network does: late, slow, cut, silent, or full of nonsense.
import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net'

export interface FaultProxy {
  readonly port: number
  /** Leads new connections to another server. */
  aim(port: number): void
  /** Cuts every connection and refuses new ones. */
  down(): void
  /** Lets everything through again, for old and new connections. */
  up(): void
  /** Cuts every connection; new ones are accepted. */
  cut(): void
  /** Cuts each connection once it has carried this many bytes of answers; 0: never. */
  cutAfter(bytes: number): void
  /** Carries nothing any more and closes nothing: what a pulled cable looks like. New connections are swallowed too. */
  blackHole(): void
  /** Holds every answer back for so long. */
  latency(milliseconds: number): void
  /** Lets so many bytes of answers through each second. */
  slow(bytesPerSecond: number): void
  /** Puts bytes in the place of the next answer of every connection. */
  garble(bytes: string): void
  /** How many connections are open. */
  open(): number
  /** How many were ever made. */
  made(): number
  stop(): Promise<void>
}

interface Faults {
  isHole: boolean
  cutAfterBytes: number
  latencyMs: number
  bytesPerSecond: number
  garbage: string | undefined
}

const none = (): Faults => ({ isHole: false, cutAfterBytes: 0, latencyMs: 0, bytesPerSecond: 0, garbage: undefined })

/** Starts a line to a port on this machine. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  let target = targetPort
  let isDown = false
  let faults = none()
  let made = 0
  const sockets = new Set<Socket>()

  const server: Server = createServer((client) => {
    if (isDown) return void client.resetAndDestroy()
    made += 1
    const upstream = tcpConnect(target, '127.0.0.1')
    const end = () => {
      client.destroy()
      upstream.destroy()
      sockets.delete(client)
    }
    sockets.add(client)
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    client.on('data', (chunk: Buffer) => {
      if (!faults.isHole) upstream.write(chunk)
    })
    const deliver = createDelivery(client, () => faults, end)
    upstream.on('data', deliver)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }

  return {
    port,
    aim: (next) => {
      target = next
    },
    down: () => {
      isDown = true
      cut()
    },
    up: () => {
      isDown = false
      faults = none()
    },
    cut,
    cutAfter: (bytes) => {
      faults.cutAfterBytes = bytes
    },
    blackHole: () => {
      faults.isHole = true
    },
    latency: (milliseconds) => {
      faults.latencyMs = milliseconds
    },
    slow: (bytesPerSecond) => {
      faults.bytesPerSecond = bytesPerSecond
    },
    garble: (bytes) => {
      faults.garbage = bytes
    },
    open: () => sockets.size,
    made: () => made,
    stop: () => {
      cut()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

// Answers go out in their order, each after its own delay.
function createDelivery(client: Socket, current: () => Faults, end: () => void): (chunk: Buffer) => void {
  let carried = 0
  let last: Promise<void> = Promise.resolve()

  async function send(chunk: Buffer): Promise<void> {
    const { bytesPerSecond, cutAfterBytes, garbage, isHole, latencyMs } = current()
    if (isHole) return
    if (latencyMs > 0) await pause(latencyMs)
    if (garbage !== undefined) return void client.write(garbage)
    if (cutAfterBytes > 0 && carried + chunk.length >= cutAfterBytes) {
      client.write(chunk.subarray(0, Math.max(0, cutAfterBytes - carried)), end)
      return
    }
    carried += chunk.length
    if (bytesPerSecond === 0) return void client.write(chunk)
    for (let sent = 0; sent < chunk.length && !client.destroyed; sent += Math.ceil(bytesPerSecond / 20)) {
      client.write(chunk.subarray(sent, sent + Math.ceil(bytesPerSecond / 20)))
      await pause(50)
    }
  }

  return (chunk) => {
    last = last.then(() => send(chunk))
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
