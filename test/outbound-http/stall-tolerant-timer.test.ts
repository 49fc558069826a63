import { once } from 'node:events'
import { createServer, type Socket, connect as tcpConnect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { afterPatience } from '../../src/outbound-http/stall-tolerant-timer.ts'
import { listen } from '../support/listen.ts'

const standStill = (milliseconds: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)

describe('patience', () => {
  it('is over after its time, and not before', async () => {
    const startedMs = performance.now()
    await new Promise<void>((resolve) => void afterPatience(100, resolve))
    // A timer may come a millisecond early: it counts in whole ones.
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(90)
  })

  it('does not end when it was called off, at whatever step', async () => {
    let ended = 0
    const giveUp = () => {
      ended += 1
    }
    afterPatience(200, giveUp)()
    const callOff = afterPatience(200, giveUp)
    await new Promise((resolve) => setTimeout(resolve, 50))
    callOff()
    await new Promise<void>((resolve) => void afterPatience(300, resolve))
    expect(ended).toBe(0)
  })

  it('outlasts a process that stands still: what came meanwhile is heard first', async () => {
    const server = createServer()
    const client = tcpConnect(await listen(server), '127.0.0.1')
    const [far] = (await once(server, 'connection')) as [Socket]
    const heard: string[] = []
    client.on('data', () => heard.push('answer'))
    const isOver = new Promise<void>((resolve) => {
      afterPatience(100, () => {
        heard.push('over')
        resolve()
      })
    })
    far.write('x')
    standStill(500)
    await isOver
    expect(heard).toEqual(['answer', 'over'])
    client.destroy()
    server.close()
  })
})
