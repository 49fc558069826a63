// Junk at a fixed rate: tokens of the right issuer and key id, no two alike, each with a signature that costs a full
// verification and is wrong. What the gate does not take from the socket counts as offered and not taken.
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What it is told: one token to make the others from. `perSecond` 0: as fast as the answers come, one at a time. */
export interface JunkOrder {
  readonly port: number
  readonly token: string
  readonly connections: number
  readonly perSecond: number
  readonly seconds: number
}

export interface JunkAnswer {
  readonly offered: number
  readonly sent: number
  readonly answered: number
}

/** So many requests wait on one connection at most. */
const PIPELINE = 8
/** Into the middle of the signature: at its beginning a number too large would be refused without any mathematics. */
const DIGITS_FROM_END = 50
const DIGITS = 8

process.once('message', async ({ port, token, connections, perSecond, seconds }: JunkOrder) => {
  const before = `GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token.slice(0, -DIGITS_FROM_END)}`
  const after = `${token.slice(-DIGITS_FROM_END + DIGITS)}\r\n\r\n`
  let [offered, sent, answered] = [0, 0, 0]
  // Another beginning for each process, so that none of its tokens was ever seen
  let number = Math.floor(Math.random() * 2 ** 30) * 1_000
  const next = () => before + (number++).toString(36).padStart(DIGITS, 'A').slice(-DIGITS) + after

  const lines = Array.from({ length: connections }, () => open())
  function open() {
    const line = { socket: undefined as Socket | undefined, waiting: 0 }
    const dial = () => {
      line.waiting = 0
      line.socket = connect({ port, host: '127.0.0.1' })
        .on('data', (bytes: Buffer) => {
          const count = bytes.toString('latin1').split('HTTP/1.1 ').length - 1
          answered += count
          line.waiting -= count
          if (perSecond === 0) put(line)
        })
        .on('error', () => {})
        .on('close', () => setTimeout(dial, 50))
      if (perSecond === 0) put(line)
    }
    dial()
    return line
  }
  function put(line: { socket: Socket | undefined; waiting: number }): void {
    line.waiting++
    sent++
    line.socket?.write(next(), 'latin1')
  }

  const startedMs = performance.now()
  for (let turn = 0; performance.now() - startedMs < seconds * 1000; ) {
    const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond)
    for (let tries = 0; offered < due; offered++) {
      // Once round without a place: the rest of this moment is not taken
      for (; tries < connections; tries++, turn++) if (lines[turn % connections]!.waiting < PIPELINE) break
      if (tries < connections) put(lines[turn++ % connections]!)
    }
    await sleep(2)
  }
  process.send?.({ offered: perSecond === 0 ? sent : offered, sent, answered } satisfies JunkAnswer)
})
