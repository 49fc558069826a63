// Does the load at a fixed rate count what a slow gate holds up, and not only what it has sent already?
import { createServer, type ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { ask } from '../../bench/gate-process.ts'
import type { SteadyAnswer, SteadyOrder } from '../../bench/steady-load.ts'
import { listen } from '../support/listen.ts'

const PER_SECOND = 200
const STALL_AFTER_REQUESTS = 300
const STALL_MS = 1_000

test('requests that were due while the gate stood still have waited, those that could not be sent too', async () => {
  let seen = 0
  let held: ServerResponse[] | undefined
  const server = createServer((_request, response) => {
    seen++
    if (seen === STALL_AFTER_REQUESTS) {
      held = []
      setTimeout(() => {
        for (const one of held ?? []) one.end('ok')
        held = undefined
      }, STALL_MS)
    }
    if (held === undefined) response.end('ok')
    else held.push(response)
  })
  const order: SteadyOrder = {
    ...{ port: await listen(server), tokens: ['one', 'two'] },
    ...{ connections: 5, perSecond: PER_SECOND, seconds: 3 },
  }
  const { waitsMs, bad } = await ask<SteadyAnswer>('steady-load.ts', order)
  server.close()

  expect(bad).toBe(0)
  expect(waitsMs).toHaveLength(2 * PER_SECOND)
  // One request is due each five milliseconds, and all those of the first half of the second wait for half a second or more
  expect(waitsMs.filter((ms) => ms >= STALL_MS / 2).length).toBeGreaterThanOrEqual(PER_SECOND * 0.4)
})
