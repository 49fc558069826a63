import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { type AnswerBounds, fetchBounded } from '../../src/outbound-http/fetch.ts'
import { eventually } from '../support/eventually.ts'
import { answerWith, drip, flood, type KeyAnswer } from '../support/key-server.ts'
import { listen } from '../support/listen.ts'

const closing: (() => Promise<void>)[] = []
afterEach(() => Promise.all(closing.splice(0).map((close) => close())))

/** Asks a server that answers so; `hasEnded` resolves when no connection to it is open. */
async function ask(answer: KeyAnswer, bounds: Partial<AnswerBounds> = {}) {
  const server = createServer((req, res) => answer(res, req))
  const url = `http://127.0.0.1:${await listen(server)}/`
  closing.push(async () => {
    server.closeAllConnections()
    await promisify(server.close.bind(server))()
  })
  const connections = promisify(server.getConnections.bind(server))
  return {
    // Not the end of a certain request: where this process stood still, time was up before the server was asked.
    hasEnded: () => eventually(async () => expect(await connections()).toBe(0)),
    answered: fetchBounded(fetch, url, { redirect: 'error' }, { timeoutMs: 10_000, maximumBytes: 1000, ...bounds }),
  }
}

describe('a bounded answer', () => {
  it('comes whole, with its status and type', async () => {
    const { answered } = await ask(answerWith('{"a":1}', 418))
    expect(await answered).toEqual({ status: 418, contentType: 'application/json', body: Buffer.from('{"a":1}') })
  })

  it('may be empty', async () => {
    const { answered } = await ask((res) => void res.writeHead(204).end())
    expect(await answered).toEqual({ status: 204, contentType: null, body: Buffer.alloc(0) })
  })

  it('may be as large as is allowed, and not a byte larger', async () => {
    expect((await (await ask(answerWith('x'.repeat(1000)))).answered).body).toHaveLength(1000)
    await expect((await ask(answerWith('x'.repeat(1001)))).answered).rejects.toThrow(
      'the answer is larger than 1000 bytes',
    )
  })

  it('that is larger ends its connection', async () => {
    const { answered, hasEnded } = await ask(flood(100_000_000))
    await expect(answered).rejects.toThrow('the answer is larger')
    await hasEnded()
  })

  it('with a status that nobody reads comes without its body, and ends its connection', async () => {
    const { answered, hasEnded } = await ask((res) => void res.writeHead(500).write('x'), { onlyStatus: 200 })
    expect(await answered).toMatchObject({ status: 500, body: Buffer.alloc(0) })
    await hasEnded()
  })

  const late: Record<string, KeyAnswer> = {
    'that drips': drip,
    'that begins and goes no further': (res) => void res.writeHead(200).write('{'),
    'that never begins': () => {},
  }
  for (const [name, answer] of Object.entries(late)) {
    // holds: keys-answered-badly
    it(`${name} is given up in time, and its connection ended, though garbage was collected meanwhile`, async () => {
      setFlagsFromString('--expose-gc')
      const collect: () => void = runInNewContext('gc')
      const collecting = setInterval(collect, 20)
      try {
        const { answered, hasEnded } = await ask(answer, { timeoutMs: 500 })
        await expect(answered).rejects.toMatchObject({ name: 'TimeoutError' })
        await hasEnded()
      } finally {
        clearInterval(collecting)
      }
    })
  }
})
