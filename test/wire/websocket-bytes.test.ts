// A tunnel is transparent: whatever bytes follow the handshake arrive as they are, both ways at once, also where they are no
// well-formed frames; and each side may finish before the other.
import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { handshake, proven } from '../support/handshake.ts'
import { listen } from '../support/listen.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A stream of bytes and numbers that is the same in every run. */
function chance(seed: number) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16))
  const bytes = (count: number): Buffer => cipher.update(Buffer.alloc(count))
  const below = (bound: number): number => bytes(4).readUInt32BE() % bound
  return { bytes, below }
}

const mebibyte = 1_048_576
/** The lengths at which the form of a frame changes, the largest, and some between. */
const edges = [0, 1, 125, 126, 127, 65_535, 65_536, mebibyte, 16 * mebibyte]

/** Frames of every length, with any first byte, masked or not, in pieces that end anywhere. */
function randomFrames(seed: number): Buffer[] {
  const { bytes, below } = chance(seed)
  const sizes = [...edges, ...Array.from({ length: 60 }, () => below(2 ** (1 + below(20))))]
  const frames = sizes.sort(() => below(3) - 1).map((size) => frame(size, bytes(1)[0] ?? 0, below(2) === 1, bytes))
  const all = Buffer.concat(frames)
  const pieces: Buffer[] = []
  for (let at = 0; at < all.length; ) {
    const length = 1 + below(2 ** (1 + below(18)))
    pieces.push(all.subarray(at, at + length))
    at += length
  }
  return pieces
}

function frame(size: number, first: number, isMasked: boolean, bytes: (count: number) => Buffer): Buffer {
  const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10)
  head[0] = first
  head[1] = (isMasked ? 0x80 : 0) | (size < 126 ? size : size < 65_536 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(size, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(size), 2)
  return Buffer.concat([head, isMasked ? bytes(4) : Buffer.alloc(0), bytes(size)])
}

/** What came on a socket after the end of the head, when the other side has finished. An iterator would end the socket too. */
async function readRest(socket: Socket): Promise<{ length: number; sha256: string }> {
  const parts: Buffer[] = []
  socket.on('data', (part) => parts.push(part))
  await once(socket, 'end')
  const all = Buffer.concat(parts)
  return digest([all.subarray(all.indexOf('\r\n\r\n') + 4)])
}
function digest(parts: readonly Buffer[]): { length: number; sha256: string } {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return { length: parts.reduce((sum, part) => sum + part.length, 0), sha256: hash.digest('hex') }
}

async function writeAll(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (!socket.write(piece)) await new Promise((resolve) => socket.once('drain', resolve))
  }
}

/** A proxy before an application that agrees to the handshake and then does as it is told. */
async function tunnelTo(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    closing.push(async () => void socket.destroy())
    serve(socket)
  })
  const port = await listen(server)
  closing.push(() => new Promise((resolve) => server.close(() => resolve())))
  const proxy = await startProxy(new URL(`http://127.0.0.1:${port}`))
  closing.push(proxy.close)
  return proxy.port
}

for (const seed of [1, 2]) {
  // holds: autobahn
  test(`frames of 0 bytes to 16 MiB go both ways at once as they are, seed ${seed}`, async () => {
    const [up, down] = [randomFrames(seed), randomFrames(seed + 100)]
    let arrived: unknown
    const port = await tunnelTo(async (socket) => {
      socket.write(proven)
      const [rest] = await Promise.all([readRest(socket), writeAll(socket, down)])
      arrived = rest
      socket.end()
    })
    const client = rawClient(port)
    client.socket.removeAllListeners('data')
    const received = readRest(client.socket)
    client.send(handshake())
    await writeAll(client.socket, up)
    client.socket.end()
    expect(await received).toEqual(digest(down))
    expect(arrived).toEqual(digest(up))
  })
}

test('a client that has finished still hears the application to its end', async () => {
  let heard = ''
  const port = await tunnelTo((socket) => {
    socket.once('data', () => socket.write(proven))
    socket.on('data', (bytes) => (heard += bytes.toString('latin1')))
    socket.on('end', () => setTimeout(() => socket.end('and the answer'), 700))
  })
  const client = rawClient(port)
  client.send(handshake())
  await client.until((text) => text.includes('\r\n\r\n'))
  client.socket.end('the last words')
  expect(await client.closed()).toMatch(/\r\n\r\nand the answer$/)
  expect(heard).toMatch(/\r\n\r\nthe last words$/)
})

test('what an application says just before it finishes arrives, and then the client is closed', async () => {
  const port = await tunnelTo((socket) => {
    socket.once('data', () => {
      socket.write(proven)
      socket.end(Buffer.alloc(mebibyte, 'x'))
    })
  })
  const client = rawClient(port)
  client.send(handshake())
  const text = await client.closed()
  expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(mebibyte)
})

/** Writes without end as long as it is let; answers how many bytes were taken. */
function pour(socket: Socket): () => number {
  const piece = Buffer.alloc(65_536)
  let taken = 0
  const more = (): void => {
    let isFree = true
    while (isFree && taken < 512 * mebibyte) {
      isFree = socket.write(piece)
      taken += piece.length
    }
  }
  socket.on('drain', more)
  more()
  return () => taken
}

for (const reader of ['client', 'application'] as const) {
  // holds: idle-sockets
  test(`where the ${reader} does not read, the other side is held up, not our memory; later it goes on`, async () => {
    let toldByApp = (): number => 0
    let appSocket: Socket | undefined
    const port = await tunnelTo((socket) => {
      appSocket = socket
      socket.once('data', () => {
        socket.write(proven)
        if (reader === 'client') toldByApp = pour(socket)
        else socket.pause()
      })
    })
    const client = rawClient(port)
    client.send(handshake())
    await client.until((text) => text.includes('\r\n\r\n'))
    const toldByClient = reader === 'application' ? pour(client.socket) : undefined
    const taken = (): number => (toldByClient ?? toldByApp)()
    const slow = reader === 'client' ? client.socket : appSocket
    slow?.pause()
    let before = -1
    await vi.waitFor(
      () => {
        const isStill = taken() > 0 && taken() === before
        before = taken()
        expect(isStill).toBe(true)
      },
      { interval: 300, timeout: 15_000 },
    )
    // What a client that reads until it pauses has already got is not held up anywhere
    expect(taken() - (slow?.bytesRead ?? 0)).toBeLessThan(32 * mebibyte)
    slow?.resume()
    await eventually(() => expect(taken()).toBeGreaterThan(before))
    client.socket.destroy()
  })
}
